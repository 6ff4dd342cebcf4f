/** @file ONNX Runtime without lithe around it, to show what goes wrong there. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { type Model, typedArray } from "../src/ir/index.ts";
import { encodeModel } from "../src/onnx/index.ts";
import type { Feeds } from "../src/runtime/session.ts";

type Options = InferenceSession.SessionOptions;

export function rawSession(model: Model, options: Options = {}): Promise<InferenceSession> {
  return InferenceSession.create(encodeModel(model), { logSeverityLevel: 4, intraOpNumThreads: 1, ...options });
}

export function rawFeeds(feeds: Feeds): Record<string, Tensor> {
  const entries = [...feeds].map(([name, feed]) => {
    return [name, new Tensor(feed.dtype as "float32", typedArray(feed) as Float32Array, feed.dims)] as const;
  });
  return Object.fromEntries(entries);
}

/** Runs the model once and gives the first output's elements. */
export async function rawRun(model: Model, feeds: Feeds, options: Options = {}): Promise<number[]> {
  const session = await rawSession(model, options);
  const results = await session.run(rawFeeds(feeds));
  const [name = ""] = session.outputNames;
  const values = Array.from(results[name]!.data as ArrayLike<number | bigint>, Number);
  await session.release();
  return values;
}

/**
 * Runs `body` in a process of its own, with `ort`, the model's `bytes` and `feed(name, type, values, dims)` in scope; it may
 * die. `status` is its exit code, null when a signal ended it.
 */
export function rawProcess(
  model: Model,
  body: string,
  env: NodeJS.ProcessEnv = {},
): { status: number | null; output: string } {
  const folder = mkdtempSync(join(tmpdir(), "litheml-test-"));
  writeFileSync(join(folder, "model.onnx"), encodeModel(model));
  const script = `import ort from "onnxruntime-node"; import { readFileSync } from "node:fs";
    const bytes = readFileSync(${JSON.stringify(join(folder, "model.onnx"))});\n${body}`;
  const cwd = fileURLToPath(new URL("../", import.meta.url));
  const args = ["--input-type=module", "-e", script];
  const { status, stdout } = spawnSync(process.execPath, args, {
    cwd,
    env: { ...process.env, ...env },
    encoding: "utf8",
  });
  rmSync(folder, { recursive: true });
  return { status, output: stdout };
}

/** The same on the wasm build, all sessions in one instance of it. */
export async function rawWasm(model: Model): Promise<InferenceSession> {
  const { InferenceSession: Session, env } = await import("onnxruntime-web");
  env.wasm.numThreads = 1;
  return (await Session.create(encodeModel(model), { logSeverityLevel: 4 })) as InferenceSession;
}

/** Models opened on a build of the runtime; `run` gives the outputs of each. */
export async function rawRuns(open: (model: Model) => Promise<InferenceSession>, models: readonly Model[]) {
  const sessions: InferenceSession[] = [];
  for (const model of models) sessions.push(await open(model));
  const numbers = (value: Tensor) => Array.from(value.data as ArrayLike<number | bigint>, Number);
  return {
    async run(feeds: Feeds): Promise<Map<string, number[]>[]> {
      const all: Map<string, number[]>[] = [];
      for (const session of sessions) {
        const results = Object.entries(await session.run(rawFeeds(feeds)));
        all.push(new Map(results.map(([name, value]) => [name, numbers(value)])));
      }
      return all;
    },
    async [Symbol.asyncDispose]() {
      for (const session of sessions) await session.release();
    },
  };
}
