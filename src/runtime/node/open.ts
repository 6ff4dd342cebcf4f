/** @file Opens sessions in Node: in a process, or in a worker thread. */
import { UnsupportedError } from "../../errors.ts";
import type { Model } from "../../ir/index.ts";
import { type ResolvedOptions, resolveOptions } from "../options.ts";
import { type Load, loadSpec, readSource } from "../prepare.ts";
import { openRemote } from "../remote-session.ts";
import { hasFullRangeWeights } from "../rules/full-range-weights.ts";
import { probeSaturation } from "../saturation.ts";
import type { Session, SessionOptions } from "../session.ts";
import { timeLimit } from "../time-limit.ts";
import { processChannel, threadChannel } from "./channels.ts";
import { memoryLimit } from "./limits.ts";
import { mappedOrigins } from "./mapped-origins.ts";
import { canMap, withMappedTensors } from "./mapped-tensors.ts";

/** Opens a model, or the bytes of one, on `cpu`, `webgpu` (both onnxruntime-node) or `wasm` (onnxruntime-web). */
export async function openSession(source: Model | Uint8Array, options: SessionOptions = {}): Promise<Session> {
  const resolved = resolveOptions(options);
  checkPlatform(resolved);
  const model = readSource(source);
  const target = { ...resolved, saturates: await saturates(model, resolved), reduced: false };
  const whole = loadSpec(model, target, canMap && resolved.ep === "cpu" ? await mappedOrigins(model) : undefined);
  const load = await withMappedTensors(whole);
  try {
    return await openIn(resolved, load);
  } finally {
    await load.remove();
  }
}

function openIn(resolved: ResolvedOptions, { spec, types, notices, transfer, bytes }: Load): Promise<Session> {
  const { isolate, limits, name, step } = resolved;
  const remote = { spec, types, notices, transfer, name, step };
  if (isolate === "thread") {
    const limit = limits.time === undefined ? {} : { limit: timeLimit(limits, bytes) };
    return openRemote(threadChannel("thread.js"), { ...remote, ...limit });
  }
  const channel = processChannel("process.js", {
    memory: memoryLimit(limits, bytes),
    isReused: isolate === undefined && leavesNoTrace(resolved),
  });
  return openRemote(channel, { ...remote, limit: timeLimit(limits, bytes) });
}

function checkPlatform({ ep, profile, isolate }: ResolvedOptions): void {
  if (profile && ep === "wasm") throw new UnsupportedError("the wasm build of the runtime writes no profile");
  if (ep === "webgpu" && isolate === "thread") {
    throw new UnsupportedError("two sessions on webgpu in one process end it", {
      hint: 'Open them without { isolate: "thread" }.',
    });
  }
}

/** Whether a process is as new when the session has gone. The wasm build and the GPU keep settings of their first session. */
function leavesNoTrace({ ep, config }: ResolvedOptions): boolean {
  return ep === "cpu" && !config.has("session.set_denormal_as_zero");
}

/** Asks the machine only where the answer matters, since the question is a session of its own. */
export async function saturates(model: Model, { ep, stock }: ResolvedOptions): Promise<boolean> {
  return ep === "cpu" && !stock && hasFullRangeWeights(model) && cpuSaturates();
}

let answer: Promise<boolean> | undefined;

/**
 * Whether this machine's uint8 × int8 products saturate. x64 without VNNI adds pairs of products in int16; random data
 * hides it, so planted extremes are multiplied and their sum compared. Probed once per process.
 */
export function cpuSaturates(): Promise<boolean> {
  answer ??= process.arch === "x64" ? probeSaturation(openSession) : Promise.resolve(false);
  return answer;
}
