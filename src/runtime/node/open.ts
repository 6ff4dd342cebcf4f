/** @file Opens sessions in Node: in a worker thread, or in a process of their own. */
import { UnsupportedError } from "../../errors.ts";
import type { Model } from "../../ir/index.ts";
import { resolveOptions } from "../options.ts";
import { loadSpec } from "../prepare.ts";
import { openRemote } from "../remote-session.ts";
import type { Session, SessionOptions } from "../session.ts";
import { processChannel, threadChannel } from "./channels.ts";

/** Opens a model, or the bytes of one, on `cpu`, `webgpu` (both onnxruntime-node) or `wasm` (onnxruntime-web). */
export async function openSession(model: Model | Uint8Array, options: SessionOptions = {}): Promise<Session> {
  const resolved = resolveOptions(options);
  if (resolved.profile && resolved.ep === "wasm") {
    throw new UnsupportedError("the wasm build of the runtime writes no profile");
  }
  const { spec, types, transfer } = loadSpec(model, resolved);
  const { isolate, limits } = resolved;
  const channel = isolate === "process" ? processChannel(limits.memory) : threadChannel();
  return openRemote(channel, { spec, types, transfer, timeLimit: limits.time });
}
