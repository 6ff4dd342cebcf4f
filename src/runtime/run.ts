/** @file Long work as a run: an async iterable of typed events and a promise of the result, cancelled by a signal. */
import { CancelledError } from "../errors.ts";

export interface Run<E, R> extends AsyncIterable<E> {
  readonly result: Promise<R>;
  cancel(): void;
}

export interface RunScope<E> {
  readonly signal: AbortSignal;
  emit(event: E): void;
}

/** In the place of events that a reader came too late for. */
export interface MissedEvents {
  readonly type: "missed";
  readonly count: number;
}

/** As many of the latest events are kept for readers. */
export const EVENT_WINDOW = 8192;

/**
 * Starts `body` at once. Every iteration begins with the first event. A run keeps the last `EVENT_WINDOW` events, however long it
 * goes on; who reads later than that, or more slowly, is told how many he missed. Work never waits for those who look on.
 * Events end when the work does, and a failure is thrown by `result` alone.
 */
export function startRun<E, R>(
  body: (scope: RunScope<E>) => Promise<R>,
  { signal }: { readonly signal?: AbortSignal } = {},
): Run<E | MissedEvents, R> {
  const controller = new AbortController();
  const cancel = (): void => controller.abort(new CancelledError("the run was cancelled"));
  if (signal?.aborted) cancel();
  signal?.addEventListener("abort", cancel, { once: true });
  const latest: E[] = [];
  let emitted = 0;
  let ended = false;
  let wake = deferred();
  const notify = (): void => {
    const { resolve } = wake;
    wake = deferred();
    resolve();
  };
  const result = body({
    signal: controller.signal,
    emit(event) {
      latest[emitted++ % EVENT_WINDOW] = event;
      notify();
    },
  }).finally(() => {
    ended = true;
    signal?.removeEventListener("abort", cancel);
    notify();
  });
  result.catch(() => undefined);
  return {
    result,
    cancel,
    async *[Symbol.asyncIterator]() {
      for (let position = 0; ; ) {
        while (position >= emitted && !ended) await wake.promise;
        const count = emitted - EVENT_WINDOW - position;
        if (count > 0) {
          position += count;
          yield { type: "missed", count };
          continue;
        }
        if (position >= emitted) return;
        yield latest[position++ % EVENT_WINDOW] as E;
      }
    },
  };
}

/** Throws `CancelledError` when the signal was aborted; called between steps. */
export function checkCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new CancelledError("the run was cancelled", { cause: signal.reason });
}

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
