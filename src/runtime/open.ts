/** @file Opens a session on whatever platform this is. */
import type { Model } from "../ir/index.ts";
import { checkOptions } from "../options.ts";
import { isNode } from "./platform.ts";
import type { Session, SessionOptions } from "./session.ts";
import { sessionOptionNames } from "./session-option-names.ts";

/**
 * Loads a model, or the bytes of one, into a thread or process of its own.
 *
 * `cpu` and `webgpu` run on onnxruntime-node in Node; `wasm`, and everything in a browser, on onnxruntime-web.
 *
 * @throws UsageError for an unknown option, UnsupportedError for a model that breaks one of the {@link rules},
 * MissingPackageError without the runtime, RuntimeError when the runtime refuses the model.
 */
export async function openSession(model: Model | Uint8Array, options: SessionOptions = {}): Promise<Session> {
  checkOptions(options, sessionOptionNames);
  const { openSession: open } = isNode ? await import("./node/open.ts") : await import("./web/open-lazily.ts");
  return open(model, options);
}

/**
 * Whether this machine's CPU gets uint8 × int8 products wrong unless weights keep to 7 bits, as x64 without VNNI does.
 * Tried once per process on planted extremes; never so in the web builds.
 */
export async function cpuSaturates(): Promise<boolean> {
  return isNode ? (await import("./node/open.ts")).cpuSaturates() : false;
}
