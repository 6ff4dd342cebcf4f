/** @file Opens sessions in Node: in a worker thread, or in a process of their own. */
import { UnsupportedError } from "../../errors.ts";
import type { Model } from "../../ir/index.ts";
import { hasFullRangeWeights } from "../full-range-weights.ts";
import { type ResolvedOptions, resolveOptions } from "../options.ts";
import { loadSpec, readSource } from "../prepare.ts";
import { openRemote } from "../remote-session.ts";
import { probeSaturation } from "../saturation.ts";
import type { Session, SessionOptions } from "../session.ts";
import { processChannel, threadChannel } from "./channels.ts";

/** Opens a model, or the bytes of one, on `cpu`, `webgpu` (both onnxruntime-node) or `wasm` (onnxruntime-web). */
export async function openSession(source: Model | Uint8Array, options: SessionOptions = {}): Promise<Session> {
  const resolved = resolveOptions(options);
  if (resolved.profile && resolved.ep === "wasm") {
    throw new UnsupportedError("the wasm build of the runtime writes no profile");
  }
  const model = readSource(source);
  const { spec, types, notices, transfer } = loadSpec(model, {
    ...resolved,
    saturates: await saturates(model, resolved),
    reduced: false,
  });
  const { isolate, limits } = resolved;
  const channel = isolate === "process" ? processChannel(limits.memory) : threadChannel("thread.js");
  return openRemote(channel, { spec, types, notices, transfer, timeLimit: limits.time });
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
