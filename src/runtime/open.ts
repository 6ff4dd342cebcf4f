/** @file Opens a session on whatever platform this is. */
import type { Model } from "../ir/index.ts";
import type { Session, SessionOptions } from "./session.ts";

/**
 * Loads a model, or the bytes of one, into a thread or process of its own.
 *
 * `cpu` and `webgpu` run on onnxruntime-node in Node; `wasm`, and everything in a browser, on onnxruntime-web.
 *
 * @throws UsageError for an unknown option, UnsupportedError for a model that breaks one of the {@link rules},
 * MissingPackageError without the runtime, RuntimeError when the runtime refuses the model.
 */
export async function openSession(model: Model | Uint8Array, options: SessionOptions = {}): Promise<Session> {
  const isNode = typeof process !== "undefined" && process.versions?.node !== undefined;
  const { openSession: open } = isNode ? await import("./node/open.ts") : await import("./web/open.ts");
  return open(model, options);
}
