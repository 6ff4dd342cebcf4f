/** @file The inside of a web worker: one build of the runtime, one session. */
import { serve } from "../host.ts";
import type { Request } from "../protocol.ts";
import { backendOf, type ImportRuntime } from "./backend.ts";
import { STARTED } from "./started.ts";

interface Scope {
  readonly name: string;
  onmessage: ((event: MessageEvent<Request>) => void) | null;
  postMessage(message: unknown, transfer?: ArrayBuffer[]): void;
}

/**
 * Answers a session's requests with the build of the runtime that is called `module`.
 *
 * A bundler may put the runtime into the worker's own script. Its threads, which start the script that the runtime is in, then start this
 * one: they have to become threads of the runtime and must not answer anybody.
 */
export function serveWorker(module: string, importRuntime: ImportRuntime): void {
  const scope = globalThis as unknown as Scope;
  if (scope.name.startsWith("em-pthread")) {
    void importRuntime();
    return;
  }
  const answer = serve(
    (spec) => backendOf(spec, module, importRuntime),
    (reply, transfer) => scope.postMessage(reply, transfer),
  );
  scope.onmessage = ({ data }) => void answer(data);
  scope.postMessage(STARTED);
}
