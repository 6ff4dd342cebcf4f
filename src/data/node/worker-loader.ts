/** @file Node only: batches made by threads, ahead of their use and in order. */
import { Worker } from "node:worker_threads";
import { builtFile } from "../../built-file.ts";
import { CancelledError, RuntimeError } from "../../errors.ts";
import type { Batch } from "../batches.ts";
import type { BatchRequest } from "../load/load-batch.ts";
import type { BatchLoader } from "../load/loader.ts";
import { type LoadJob, type LoadReply, unpackError } from "./load-protocol.ts";

export interface WorkerLoaderOptions {
  readonly workers: number;
  /** Batches that are ready or under way at once. */
  readonly ahead: number;
  readonly signal?: AbortSignal;
}

/** Starts the threads; see `openLoader`. */
export function workerLoader(job: LoadJob, { workers, ahead, signal }: WorkerLoaderOptions): BatchLoader {
  const threads = Array.from({ length: workers }, () => loadingThread(job));
  const close = async (): Promise<void> => {
    signal?.removeEventListener("abort", cancel);
    await Promise.all(threads.map((thread) => thread.close(new CancelledError("the loader was closed"))));
  };
  const cancel = (): void => {
    const reason = new CancelledError("the loading was cancelled", { cause: signal?.reason });
    for (const thread of threads) void thread.close(reason);
  };
  if (signal?.aborted) cancel();
  signal?.addEventListener("abort", cancel, { once: true });
  let waits = 0;
  return {
    get waits() {
      return waits;
    },
    async *load(requests) {
      const queue = requestedAhead(requests, threads, ahead);
      for (let next = queue.shift(); next; next = queue.shift()) {
        if (!next.isReady) waits++;
        const batch = await next.batch;
        queue.fill();
        yield batch;
      }
    },
    [Symbol.asyncDispose]: close,
  };
}

interface Requested {
  readonly batch: Promise<Batch>;
  isReady: boolean;
}

/** The queue of the batches that were asked for, in order. */
function requestedAhead(requests: Iterable<BatchRequest>, threads: readonly LoadingThread[], ahead: number) {
  const iterator = requests[Symbol.iterator]();
  const queue: Requested[] = [];
  const fill = (): void => {
    while (queue.length < ahead) {
      const { value, done } = iterator.next();
      if (done) return;
      const thread = threads.reduce((a, b) => (b.load() < a.load() ? b : a));
      const requested: Requested = { batch: thread.make(value), isReady: false };
      const settle = (): void => {
        requested.isReady = true;
      };
      requested.batch.then(settle, settle);
      queue.push(requested);
    }
  };
  fill();
  return { fill, shift: () => queue.shift() };
}

interface LoadingThread {
  /** Batches that it has not yet answered. */
  load(): number;
  make(request: BatchRequest): Promise<Batch>;
  /** Ends it at once; what it has not answered fails with `reason`. */
  close(reason: Error): Promise<void>;
}

interface Waiting {
  resolve(batch: Batch): void;
  reject(error: Error): void;
}

function loadingThread(job: LoadJob): LoadingThread {
  const worker = new Worker(builtFile(import.meta.url, "load-thread.js"), { workerData: job });
  worker.unref();
  const waiting = new Map<number, Waiting>();
  let ended: Error | undefined;
  let count = 0;
  const end = (reason: Error): void => {
    ended ??= reason;
    for (const { reject } of waiting.values()) reject(ended);
    waiting.clear();
  };
  const broken = (got: string): void => end(new RuntimeError("a thread that loads data ended", { got }));
  worker.on("error", (error) => broken(error.message));
  worker.on("messageerror", (error) => broken(error.message));
  worker.on("exit", (code) => broken(`exit code ${code}`));
  worker.on("message", (reply: LoadReply) => {
    const { resolve, reject } = waiting.get(reply.id) ?? {};
    waiting.delete(reply.id);
    if (waiting.size === 0) worker.unref();
    if ("batch" in reply) resolve?.(reply.batch);
    else reject?.(unpackError(reply.error));
  });
  return {
    load: () => waiting.size,
    make(request) {
      if (ended) return Promise.reject(ended);
      worker.ref();
      const id = count++;
      worker.postMessage({ id, request });
      return new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
    },
    async close(reason) {
      end(reason);
      await worker.terminate();
    },
  };
}
