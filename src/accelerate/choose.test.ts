import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decide, type Figures, type Goal, goals, paretoFront, ranked } from "./choose.ts";

const figures = (form: string, latencyRatio: number, sizeRatio: number, drop: number): Figures => ({
  form,
  latencyRatio,
  sizeRatio,
  drop,
  latencySpread: [latencyRatio * 0.97, latencyRatio * 1.03],
});

const arbitrary = fc
  .record({
    latencyRatio: fc.double({ min: 0.2, max: 5, noNaN: true }),
    sizeRatio: fc.double({ min: 0.5, max: 8, noNaN: true }),
    drop: fc.double({ min: -0.1, max: 0.5, noNaN: true }),
  })
  .map(({ latencyRatio, sizeRatio, drop }) => figures("any", latencyRatio, sizeRatio, drop));

describe("choosing a candidate", () => {
  it("refuses what breaks the bound, however fast", () => {
    expect(decide(figures("static", 3, 4, 0.02), { maxDrop: 0.01, goal: "latency" })).toMatchObject({
      accepted: false,
      reason: expect.stringContaining("bound"),
    });
  });

  it("refuses a drop that is not a number", () => {
    expect(decide(figures("static", 3, 4, Number.NaN), { maxDrop: 0.01, goal: "latency" }).accepted).toBe(false);
  });

  it("refuses what was timed in too few rounds for an interval, whatever the goal", () => {
    for (const goal of goals) {
      const timed = (rounds: number) => decide({ ...figures("static", 2, 4, 0), rounds }, { maxDrop: 0.01, goal });
      expect(timed(5)).toEqual({ accepted: false, reason: expect.stringContaining("too few rounds") });
      expect(timed(6).accepted).toBe(true);
    }
  });

  it("never hands out what is slower", () => {
    for (const goal of goals)
      expect(decide(figures("static", 0.7, 4, 0), { maxDrop: 0.01, goal }).accepted).toBe(false);
  });

  it("lets a size form be as fast as the original within its interval, and slower by a stated share only", () => {
    const accepted = (goal: Goal, latencyRatio: number, maxSlowdown = 0) =>
      decide(figures("weight-only", latencyRatio, 4, 0), { maxDrop: 0.01, goal, maxSlowdown }).accepted;
    expect([accepted("size", 0.98), accepted("size", 0.96), accepted("latency", 0.98)]).toEqual([true, false, false]);
    expect([accepted("size", 0.8, 0.25), accepted("size", 0.7, 0.25)]).toEqual([true, false]);
  });

  /** Timed with this interval. */
  const timed = (low: number, high: number, others: Partial<Figures> = {}): Figures => ({
    ...figures("timed", Math.sqrt(low * high), 2, 0),
    latencySpread: [low, high],
    ...others,
  });

  it.each<[string, Figures, Goal, number, RegExp | undefined]>([
    ["faster by the whole interval", timed(1.01, 1.4), "latency", 0, undefined],
    ["an interval across 1", timed(0.99, 1.4), "latency", 0, /^not certainly faster than the original: speed 1\.18×/],
    ["an interval that ends at 1", timed(1, 1.4), "balanced", 0, /not certainly faster/],
    ["slower by the whole interval", timed(0.6, 0.9), "latency", 0, /^slower than the original: speed 0\.73×/],
    ["as large as the original", timed(1.1, 1.2, { sizeRatio: 1 }), "size", 0, /not smaller/],
    ["smaller and within its interval", timed(0.9, 1), "size", 0, undefined],
    // 1 / 1.25 = 0.8
    ["slower by what is allowed", timed(0.7, 0.8), "size", 0.25, undefined],
    ["slower by more than what is allowed", timed(0.7, 0.79), "size", 0.25, /slower than the original/],
    ["a loss that is the bound", timed(1.1, 1.2, { drop: 0.01 }), "latency", 0, undefined],
    [
      "a loss beyond it",
      timed(1.1, 1.2, { drop: 0.0101 }),
      "latency",
      0,
      /^loses 1\.01 %, more than the bound of 1\.00 %$/,
    ],
    [
      "another computation",
      timed(2, 3, { faults: ["y differs"] }),
      "latency",
      0,
      /^computes something else: y differs$/,
    ],
  ])("takes or refuses %s", (_, given, goal, maxSlowdown, refusal) => {
    const { accepted, reason } = decide(given, { maxDrop: 0.01, goal, maxSlowdown });
    expect(accepted).toBe(refusal === undefined);
    if (refusal) expect(reason).toMatch(refusal);
  });

  it("says what an accepted form gains and loses", () => {
    const reasonFor = (others: Partial<Figures>) =>
      decide(timed(1.5, 1.5, others), { maxDrop: 0.1, goal: "latency" }).reason;
    expect(reasonFor({ sizeRatio: 0.5, drop: 0.025 })).toBe("1.50× faster, 2.00× larger, loses 2.50 %");
    expect(reasonFor({ sizeRatio: 4, drop: -0.01 })).toBe("1.50× faster, 4.00× smaller, gains 1.00 %");
  });

  it("prefers the smaller loss among equals", () => {
    const [good, bad] = [0.001, 0.002].map((drop) => figures(`${drop}`, 2, 2, drop));
    for (const goal of goals) expect(ranked([bad!, good!], { maxDrop: 0.01, goal })[0]).toBe(good);
  });

  it("weighs speed and size alike when they are balanced", () => {
    // 1.5 · 2 = 3 is more than 2.9 · 1 and 1.2 · 2.4 = 2.88.
    const forms = [figures("a", 1.5, 2, 0), figures("b", 2.9, 1, 0), figures("c", 1.2, 2.4, 0)];
    expect(ranked(forms, { maxDrop: 0.01, goal: "balanced" }).map(({ form }) => form)).toEqual(["a", "b", "c"]);
  });

  it("ranks by the goal", () => {
    const fast = figures("fast", 2, 1.5, 0);
    const small = figures("small", 1.2, 4, 0);
    expect(ranked([small, fast], { maxDrop: 0.01, goal: "latency" })[0]).toBe(fast);
    expect(ranked([fast, small], { maxDrop: 0.01, goal: "size" })[0]).toBe(small);
    expect(ranked([fast, small], { maxDrop: 0.01, goal: "balanced" })[0]).toBe(small);
  });

  it("keeps on the front exactly what nothing dominates", () => {
    fc.assert(
      fc.property(fc.array(arbitrary, { maxLength: 12 }), (candidates) => {
        const front = paretoFront(candidates);
        for (const a of candidates) {
          const beaten = candidates.some(
            (b) =>
              b.latencyRatio >= a.latencyRatio &&
              b.sizeRatio >= a.sizeRatio &&
              b.drop <= a.drop &&
              (b.latencyRatio > a.latencyRatio || b.sizeRatio > a.sizeRatio || b.drop < a.drop),
          );
          expect(front.includes(a)).toBe(!beaten);
        }
      }),
    );
  });

  it.each<[string, Figures[], string[]]>([
    ["equals", [figures("a", 2, 2, 0), figures("b", 2, 2, 0)], ["a", "b"]],
    ["one that is only smaller", [figures("a", 2, 2, 0), figures("b", 2, 3, 0)], ["b"]],
    ["one that is only faster", [figures("a", 2, 2, 0), figures("b", 3, 2, 0)], ["b"]],
    ["one that only loses less", [figures("a", 2, 2, 0.1), figures("b", 2, 2, 0)], ["b"]],
    ["one that is faster and loses more", [figures("a", 2, 2, 0), figures("b", 3, 2, 0.1)], ["a", "b"]],
  ])("has a front of %s", (_, candidates, front) => {
    expect(paretoFront(candidates).map(({ form }) => form)).toEqual(front);
  });
});
