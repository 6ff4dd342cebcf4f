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

/**
 * Starts `body` at once. Every iteration sees all events from the first on, so none is lost to a late reader;
 * events end when the work does, and a failure is thrown by `result` alone.
 */
export function startRun<E, R>(
  body: (scope: RunScope<E>) => Promise<R>,
  { signal }: { readonly signal?: AbortSignal } = {},
): Run<E, R> {
  const controller = new AbortController();
  const cancel = (): void => controller.abort(new CancelledError("the run was cancelled"));
  if (signal?.aborted) cancel();
  signal?.addEventListener("abort", cancel, { once: true });
  const events: E[] = [];
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
      events.push(event);
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
      for (let position = 0; ; position++) {
        while (position >= events.length && !ended) await wake.promise;
        if (position >= events.length) return;
        yield events[position] as E;
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
