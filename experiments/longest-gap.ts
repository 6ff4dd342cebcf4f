/** @file How long this thread stands still while something else works. */

/** The longest gap between two ticks of a 1 ms timer, in milliseconds, while `work` lasts. */
export async function longestGap(work: () => Promise<void>): Promise<number> {
  let last = performance.now();
  let gap = 0;
  const tick = (): void => {
    const now = performance.now();
    gap = Math.max(gap, now - last);
    last = now;
  };
  const timer = setInterval(tick, 1);
  await work();
  await new Promise((resolve) => setTimeout(resolve, 5));
  clearInterval(timer);
  return gap;
}
