/** @file ONNX Runtime in a browser: wasm, or WebGPU. */
import type { Env, InferenceSession, InferenceSessionFactory, TensorConstructor } from "onnxruntime-common";
import type { Backend } from "../host.ts";
import { missingPackage } from "../missing.ts";
import { sessionOptions } from "../ort-options.ts";
import type { LoadSpec } from "../protocol.ts";

interface Runtime {
  readonly InferenceSession: InferenceSessionFactory;
  readonly Tensor: TensorConstructor;
  readonly env: Env;
}

const modules = { webgpu: "ort.webgpu.min.mjs", wasm: "ort.wasm.min.mjs" } as const;

export async function loadBackend({ ep, threads, assets }: LoadSpec): Promise<Backend> {
  const build = ep === "webgpu" ? "webgpu" : "wasm";
  const { InferenceSession, Tensor, env } = await runtime(build, assets);
  if (assets !== undefined) env.wasm.wasmPaths = assets;
  env.wasm.numThreads = globalThis.crossOriginIsolated ? threads : 1;
  return {
    Tensor,
    load: (spec) => InferenceSession.create(spec.model, { ...sessionOptions(spec), ...locations(spec) }),
  };
}

/** On WebGPU the named outputs stay in buffers of the GPU; elsewhere the runtime's memory is the device's. */
function locations({ ep, resident }: LoadSpec): Pick<InferenceSession.SessionOptions, "preferredOutputLocation"> {
  if (ep !== "webgpu" || resident.length === 0) return {};
  return { preferredOutputLocation: Object.fromEntries(resident.map((name) => [name, "gpu-buffer" as const])) };
}

/** With `assets`, the module of that folder; otherwise the one that the bundler or an import map resolves. */
async function runtime(build: keyof typeof modules, assets: string | undefined): Promise<Runtime> {
  if (assets !== undefined) return import(new URL(modules[build], assets).href);
  try {
    return build === "webgpu" ? await import("onnxruntime-web/webgpu") : await import("onnxruntime-web/wasm");
  } catch (cause) {
    throw missingPackage("onnxruntime-web", cause);
  }
}
