/** @file Opens sessions in a browser, each in a web worker of its own. */
import { openBy, type StartWorker, type WebSession } from "./open-by.ts";
import type { WebSessionOptions } from "./options.ts";
import type { ModelSource } from "./source.ts";

/** Written out, because bundlers look for these very words. */
const workers: StartWorker = {
  wasm: () => new Worker(new URL("./worker-wasm.js", import.meta.url), { type: "module" }),
  webgpu: () => new Worker(new URL("./worker-webgpu.js", import.meta.url), { type: "module" }),
};

/**
 * Opens a model from an address, a file, bytes or a Model on `wasm` (default) or `webgpu`, or on the first of several that works.
 *
 * @throws UsageError for wrong options, UnsupportedError for what the page or the provider cannot do, DataError for a download that fails,
 * FormatError for bytes that are no model, LimitError when the runtime is not ready in time, RuntimeError when it refuses the model,
 * CancelledError.
 */
export function openSession(source: ModelSource, options: WebSessionOptions = {}): Promise<WebSession> {
  return openBy(workers, source, options);
}
