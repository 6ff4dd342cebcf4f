/** @file Opens sessions in a browser, each in a web worker of its own. */
import { UnsupportedError } from "../../errors.ts";
import type { Model } from "../../ir/index.ts";
import { resolveOptions } from "../options.ts";
import { loadSpec, readSource } from "../prepare.ts";
import type { Channel, Reply } from "../protocol.ts";
import { openRemote } from "../remote-session.ts";
import type { Session, SessionOptions } from "../session.ts";
import { timeLimit } from "../time-limit.ts";

/** Opens a model, or the bytes of one, on `wasm` (default) or `webgpu`. Threads above 1 need cross-origin isolation. */
export async function openSession(model: Model | Uint8Array, options: SessionOptions = {}): Promise<Session> {
  const resolved = resolveOptions(options, "wasm");
  checkPlatform(resolved);
  const { limits, name, step } = resolved;
  const { spec, types, notices, transfer, bytes } = loadSpec(readSource(model), {
    ...resolved,
    saturates: false,
    reduced: resolved.ep === "webgpu",
  });
  const limit = timeLimit(limits, bytes);
  return openRemote(workerChannel(), { spec, types, notices, transfer, name, step, limit });
}

function checkPlatform({ ep, isolate, limits, threads, profile }: ReturnType<typeof resolveOptions>): void {
  if (ep === "cpu") throw new UnsupportedError('a browser has no "cpu" provider', { expected: '"wasm" or "webgpu"' });
  if (isolate === "process") throw new UnsupportedError("a browser has no processes to isolate sessions in");
  if (limits.memory !== undefined) throw new UnsupportedError("the memory of a browser's worker has no limit");
  if (profile) throw new UnsupportedError("the web build of the runtime writes no profile");
  if (threads > 1 && !globalThis.crossOriginIsolated) {
    throw new UnsupportedError("several threads need a cross-origin isolated page", {
      got: `${threads} threads`,
      hint: "Serve it with Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp.",
    });
  }
}

function workerChannel(): Channel {
  const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  return {
    post: (request, transfer) => worker.postMessage(request, [...transfer]),
    listen(onReply, onEnd) {
      worker.onmessage = ({ data }: MessageEvent<Reply>) => onReply(data);
      worker.onmessageerror = () => onEnd({ reason: "a message could not be read" });
      worker.onerror = (event) => onEnd({ reason: event.message || "its worker could not be loaded" });
    },
    busy: () => undefined,
    close: async () => worker.terminate(),
  };
}
