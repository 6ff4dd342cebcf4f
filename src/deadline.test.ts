import { once } from "node:events";
import { setImmediate } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, describe, expect, it, vi } from "vitest";
import { deadlineIn, isPast, limitedSignal } from "./deadline.ts";

/** What was made in the job at hand is held until it ends. */
async function collectGarbage(): Promise<void> {
  await setImmediate();
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
}

describe("a deadline", () => {
  it("is past when its clock has reached it", () => {
    let time = 5;
    const deadline = deadlineIn(10, () => time);
    expect([deadline.left(), isPast(deadline)]).toEqual([10, false]);
    time = 15;
    expect([deadline.left(), isPast(deadline)]).toEqual([0, true]);
    time = 20;
    expect([deadline.left(), isPast(deadline)]).toEqual([-5, true]);
    expect(isPast(undefined)).toBe(false);
  });
});

describe("a limited signal", () => {
  afterEach(() => vi.useRealTimers());

  it("aborts at the deadline, also when garbage was collected before", async () => {
    using limited = limitedSignal(new AbortController().signal, deadlineIn(50));
    const aborted = once(limited.signal, "abort");
    await collectGarbage();
    await aborted;
    expect(limited.signal.reason).toMatchObject({ name: "TimeoutError" });
  });

  it("aborts with the other signal, for its reason, also when that was aborted before", () => {
    const controller = new AbortController();
    using limited = limitedSignal(controller.signal, deadlineIn(1e12));
    expect(limited.signal.aborted).toBe(false);
    controller.abort("stop");
    expect(limited.signal.reason).toBe("stop");
    using late = limitedSignal(controller.signal, deadlineIn(-1));
    expect(late.signal.reason).toBe("stop");
  });

  it("is aborted at once when the deadline is past", () => {
    using limited = limitedSignal(new AbortController().signal, deadlineIn(0));
    expect(limited.signal.aborted).toBe(true);
  });

  it("leaves neither timer nor listener behind", () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
    const controller = new AbortController();
    const limited = limitedSignal(controller.signal, deadlineIn(1000));
    expect(vi.getTimerCount()).toBe(1);
    limited[Symbol.dispose]();
    expect(vi.getTimerCount()).toBe(0);
    controller.abort();
    expect(limited.signal.aborted).toBe(false);
  });
});
