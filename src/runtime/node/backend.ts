/** @file ONNX Runtime in Node: the native build, or the wasm build. */
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { UnsupportedError } from "../../errors.ts";
import { makeTemporaryFolder } from "../../temporary-folder.ts";
import type { Backend } from "../host.ts";
import { missingPackage } from "../missing.ts";
import { sessionOptions } from "../ort-options.ts";
import { nodeTimes } from "../profile.ts";
import type { LoadSpec } from "../protocol.ts";
import type { MemoryUse } from "../session.ts";

export function loadBackend(spec: Pick<LoadSpec, "ep" | "threads">): Promise<Backend> {
  return spec.ep === "wasm" ? wasmBackend(spec) : nativeBackend();
}

/**
 * The native build takes float16 tensors over Uint16Array alone, but sees a Float16Array wherever that type exists (Node
 * 23 and later). This thread is the session's own, so the type is taken away before the runtime looks for it.
 */
async function nativeBackend(): Promise<Backend> {
  Reflect.deleteProperty(globalThis, "Float16Array");
  const { InferenceSession, Tensor } = await installed("onnxruntime-node", () => import("onnxruntime-node"));
  let folder: string | undefined;
  return {
    Tensor,
    load(spec) {
      if (spec.profile) folder = makeTemporaryFolder("profile");
      return InferenceSession.create(spec.model, {
        ...sessionOptions(spec),
        ...(folder ? { enableProfiling: true, profileFilePrefix: join(folder, "profile") } : {}),
      });
    },
    async readProfile() {
      if (!folder) throw new UnsupportedError("profiling was off");
      const [file] = readdirSync(folder);
      const text = readFileSync(join(folder, file ?? ""), "utf8");
      rmSync(folder, { recursive: true });
      folder = undefined;
      return nodeTimes(text);
    },
    memory,
    processor,
  };
}

function memory(): MemoryUse {
  return { resident: process.memoryUsage.rss(), peak: process.resourceUsage().maxRSS * 1024 };
}

function processor(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

async function wasmBackend({ threads }: Pick<LoadSpec, "threads">): Promise<Backend> {
  const { InferenceSession, Tensor, env } = await installed("onnxruntime-web", () => import("onnxruntime-web"));
  env.wasm.numThreads = threads;
  return {
    Tensor,
    load: (spec) => InferenceSession.create(spec.model, sessionOptions(spec)),
    memory,
    processor,
  };
}

async function installed<T>(name: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (cause) {
    if ((cause as { code?: string }).code === "ERR_MODULE_NOT_FOUND") throw missingPackage(name, cause);
    throw cause;
  }
}
