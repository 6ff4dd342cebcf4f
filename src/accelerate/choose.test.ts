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
});
