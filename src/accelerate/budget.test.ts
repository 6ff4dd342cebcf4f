import { describe, expect, it } from "vitest";
import { enoughSeconds, isTooLate, measuringEnd, openBudget, timingSeconds, warmupOf } from "./budget.ts";

const pace = { run: 0.01, batches: 100, before: 1 };

/** A budget of 100 seconds, of which so many are spent. */
function after(spent: number) {
  let time = 0;
  const budget = openBudget(100, () => time);
  time = spent * 1000;
  return budget;
}

describe("a budget", () => {
  it("is divided: reading, the last start, choosing, verifying", () => {
    const { reading, choosing, whole, spent } = after(50);
    expect([reading, choosing, whole].map(({ left }) => left())).toEqual([-30_000, 30_000, 50_000]);
    expect(spent()).toBe(0.5);
    expect([69, 71].map((seconds) => isTooLate(after(seconds)))).toEqual([false, true]);
  });

  it("gives a form a share while choosing, and never more than is left", () => {
    expect(measuringEnd(after(0), pace, "choosing").left()).toBeCloseTo(13_750);
    expect(measuringEnd(after(70), pace, "choosing").left()).toBeCloseTo(10_000);
    expect(measuringEnd(after(75), pace, "choosing").left()).toBeCloseTo(5000);
    expect(measuringEnd(after(90), pace, "choosing").left()).toBeLessThanOrEqual(0);
  });

  it("gives the form that is verified most of the rest, and leaves some for the next", () => {
    expect(measuringEnd(after(80), pace, "verifying").left()).toBeCloseTo(15_000);
    expect(measuringEnd(after(95), pace, "verifying").left()).toBeCloseTo(3750);
    expect(measuringEnd(after(101), pace, "verifying").left()).toBeLessThanOrEqual(0);
  });

  it("times slow models long enough for an interval", () => {
    expect(timingSeconds({ seconds: 20 }, pace)).toBe(1);
    expect(timingSeconds({ seconds: 400 }, pace)).toBe(10);
    expect(timingSeconds({ seconds: 20 }, { run: 1 })).toBe(24);
  });

  it("warms slow models up less", () => {
    expect([warmupOf(pace), warmupOf({ run: 0.1 })]).toEqual([3, 1]);
  });

  it("would be enough with room for the quick forms, and is more than what was not", () => {
    expect(enoughSeconds(after(0), pace, 0)).toBe(200);
    const [short, slow] = [openBudget(1, () => 0), { ...pace, run: 0.1 }];
    expect(enoughSeconds(short, pace, 0)).toBe(40);
    expect(enoughSeconds(short, slow, 0)).toBeGreaterThan(7 * 20);
    expect(enoughSeconds(short, slow, 50) - enoughSeconds(short, slow, 0)).toBeGreaterThanOrEqual(50);
  });
});
