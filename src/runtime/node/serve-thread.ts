/** @file What the entries of worker threads do: answer the thread that made them, until it asks them to end. */
import { parentPort } from "node:worker_threads";
import { type LoadBackend, serve } from "../host.ts";
import type { LoadSpec, Request } from "../protocol.ts";

/** The last message. A thread that is terminated within native code takes the whole process along, so it ends itself. */
export const END = "end";

export function serveThread<Spec = LoadSpec>(load: LoadBackend<Spec>): void {
  const port = parentPort;
  if (!port) return;
  const answer = serve(load, (reply, transfer) => port.postMessage(reply, transfer));
  port.on("message", (message: Request<Spec> | typeof END) => {
    if (message === END) process.exit();
    void answer(message);
  });
}
