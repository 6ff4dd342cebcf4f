import { describe, expect, it } from "vitest";
import { constant, cosine, linear, oneCycle, type ScheduleName, schedules, stepDecay, warmup } from "./index.ts";

describe.each(Object.keys(schedules) as ScheduleName[])("%s", (name) => {
  it("is a factor between 0 and 1 at every step, and reaches 1", () => {
    const factors = Array.from({ length: 100 }, (_, step) => schedules[name]()(step, 100));
    for (const factor of factors) expect(factor).toSatisfy((x: number) => x >= 0 && x <= 1 + 1e-12);
    expect(Math.max(...factors)).toBeCloseTo(1, 2);
  });

  it("is defined for a run of one step", () => {
    expect(Number.isFinite(schedules[name]()(0, 1))).toBe(true);
  });
});

describe("schedules", () => {
  it("follow their formulas", () => {
    expect(constant()(7, 10)).toBe(1);
    expect(cosine({ floor: 0.2 })(5, 10)).toBeCloseTo(0.6, 12);
    expect(cosine()(10, 10)).toBeCloseTo(0, 12);
    expect([0, 2, 10].map((step) => linear({ floor: 0.5 })(step, 10))).toEqual([1, 0.9, 0.5]);
    // Behind the end the rate stays where it is.
    expect([linear({ floor: 0.5 })(30, 10), cosine({ floor: 0.2 })(15, 10)]).toEqual([0.5, 0.2]);
    expect([4, 5, 7, 8].map((step) => stepDecay({ factor: 0.5, at: [0.5, 0.75] })(step, 10))).toEqual([
      1, 0.5, 0.5, 0.25,
    ]);
    expect([0, 4, 5].map((step) => stepDecay({ factor: 0.5, at: 0.5 })(step, 10))).toEqual([1, 1, 0.5]);
    expect([0, 3, 4, 8].map((step) => stepDecay({ factor: 0.5, at: 4 })(step, 10))).toEqual([1, 1, 0.5, 0.25]);
    expect([1, 2, 5].map((step) => stepDecay({ factor: 0.5, at: [2, 5] })(step, 10))).toEqual([1, 0.5, 0.25]);
    // From 1 on they are steps, below 1 shares of the run.
    expect([0, 1, 2].map((step) => stepDecay({ factor: 0.5, at: 1 })(step, 10))).toEqual([1, 0.5, 0.25]);
    // Two of the four steps that are left are half of the way down.
    const rising = [0, 1, 3, 4, 6].map((step) => warmup({ steps: 4, next: linear() })(step, 8));
    expect(rising).toEqual([0.25, 0.5, 1, 1, 0.5]);
    expect([0, 1, 2].map((step) => warmup({ steps: 0.2, next: linear() })(step, 10))).toEqual([0.5, 1, 1]);
  });

  it("cycle as torch's OneCycleLR", () => {
    const factors = [0, 1, 2, 5, 9].map((step) => oneCycle()(step, 10));
    const recorded = [0.04, 0.52, 1, 0.6112620219362892, 4e-6];
    for (const [i, factor] of factors.entries()) expect(factor).toBeCloseTo(recorded[i]!, 9);
  });

  it("refuse settings that mean nothing", () => {
    expect(() => cosine({ floor: 2 })).toThrow(/floor is out of range/);
    expect(() => stepDecay({ at: [] })).toThrow(/needs steps/);
    expect(() => warmup({ steps: -1 })).toThrow(/warm-up/);
  });
});
