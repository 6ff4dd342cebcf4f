/// <reference lib="esnext.disposable" preserve="true" />
/** @file A moment at which work ends with what it has. */

export interface Deadline {
  /** Milliseconds until then; negative after. */
  left(): number;
}

/** Milliseconds since any moment. */
export type Clock = () => number;

/** The moment `milliseconds` from now. */
export function deadlineIn(milliseconds: number, now: Clock = () => performance.now()): Deadline {
  const end = now() + milliseconds;
  return { left: () => end - now() };
}

export function isPast(deadline: Deadline | undefined): boolean {
  return deadline !== undefined && deadline.left() <= 0;
}

/** The moment at which `share` of what is left until `deadline` has gone by. */
export function partOf(deadline: Deadline, share: number): Deadline {
  const rest = (1 - share) * Math.max(0, deadline.left());
  return { left: () => deadline.left() - rest };
}

/** A timer of more milliseconds fires at once. */
const LONGEST = 2 ** 31 - 1;

export interface LimitedSignal extends Disposable {
  readonly signal: AbortSignal;
}

/**
 * A signal that aborts with `signal` and at `deadline`. Its timer is held until it is disposed of, unlike that of `AbortSignal.timeout`,
 * which `AbortSignal.any` lets be collected on Node 20, so that it never fires.
 */
export function limitedSignal(signal: AbortSignal, deadline: Deadline): LimitedSignal {
  const controller = new AbortController();
  const follow = (): void => controller.abort(signal.reason);
  const expire = (): void => controller.abort(new DOMException("the time ran out", "TimeoutError"));
  if (signal.aborted) follow();
  else if (isPast(deadline)) expire();
  signal.addEventListener("abort", follow, { once: true });
  const timer = setTimeout(expire, Math.min(LONGEST, Math.max(0, Math.ceil(deadline.left()))));
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      clearTimeout(timer);
      signal.removeEventListener("abort", follow);
    },
  };
}
