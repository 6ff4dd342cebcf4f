/** @file Processes whose session has gone, ready for the next one: starting a process takes longer than loading a small model. */
import type { Child } from "./child.ts";

/** Processes kept at most, as many as a comparison of two models takes, for how many milliseconds, and the most memory that one of them may ever have taken. */
const MOST = 6;
const LIFETIME = 5000;
const LARGEST = 192 * 2 ** 20;

const idle: { readonly child: Child; readonly timer: NodeJS.Timeout }[] = [];

export function takeIdle(): Child | undefined {
  for (let next = idle.pop(); next; next = idle.pop()) {
    clearTimeout(next.timer);
    if (!next.child.isEnded) return next.child;
  }
  return undefined;
}

/** @param peak the most bytes that the process has taken. */
export function leaveIdle(child: Child, peak: number): void {
  child.hold(false);
  if (idle.length >= MOST || peak > LARGEST) {
    void child.kill();
    return;
  }
  const timer = setTimeout(() => {
    idle.splice(
      idle.findIndex((each) => each.child === child),
      1,
    );
    void child.kill();
  }, LIFETIME).unref();
  idle.push({ child, timer });
}
