/** @file The lines to a worker thread and to a child process. */
import { Worker } from "node:worker_threads";
import { builtFile } from "../../built-file.ts";
import { type CallName, type Channel, isProgress, type LoadSpec, type Request } from "../protocol.ts";
import { type ChildEntry, startChild } from "./child.ts";
import { leaveIdle, takeIdle } from "./idle.ts";
import { END } from "./serve-thread.ts";

/** A thread of this process that runs one of the entries beside this file. It ends when the runtime has returned to it. */
export function threadChannel<Spec = LoadSpec>(entry: string): Channel<Spec> {
  const worker = new Worker(builtFile(import.meta.url, entry), { execArgv: [], stdout: false, stderr: false });
  const exited = new Promise<number>((resolve) => worker.on("exit", resolve));
  let closed = false;
  return {
    post: (request, transfer) => worker.postMessage(request, transfer),
    listen(onReply, onEnd) {
      worker.on("message", onReply);
      worker.on("messageerror", (error) => onEnd({ reason: error.message }));
      worker.on("error", (error) => onEnd({ reason: error.message }));
      void exited.then((code) => closed || onEnd({ reason: `its thread exited with code ${code}` }));
    },
    busy(busy) {
      if (busy || closed) worker.ref();
      else worker.unref();
    },
    async close() {
      closed = true;
      worker.ref();
      worker.postMessage(END);
      await exited;
    },
  };
}

export interface ProcessOptions {
  /** Bytes of resident memory; more end it. */
  readonly memory: number;
  /** Takes a process that served a session before, where there is one, and leaves it to the next. */
  readonly isReused: boolean;
}

export function processChannel<Spec = LoadSpec>(
  entry: ChildEntry,
  { memory, isReused }: ProcessOptions,
): Channel<Spec> {
  const child = (isReused && takeIdle()) || startChild(entry);
  child.send({ memoryLimit: memory });
  const waiting = new Map<number, CallName>();
  let left: number | undefined;
  let closed = false;
  return {
    post(request) {
      waiting.set(request.id, request.call);
      child.send(request as Request<never>);
    },
    listen(onReply, onEnd) {
      child.listen(
        (reply) => {
          if (!isProgress(reply)) {
            if (waiting.get(reply.id) === "release" && "value" in reply) left = reply.value as number | undefined;
            waiting.delete(reply.id);
          }
          onReply(reply);
        },
        (end) => closed || onEnd(end),
      );
    },
    busy: (busy) => child.hold(busy),
    async close() {
      closed = true;
      const isClean = left !== undefined && waiting.size === 0 && !child.isEnded;
      if (isReused && isClean) leaveIdle(child, left!);
      else await child.kill();
    },
  };
}
