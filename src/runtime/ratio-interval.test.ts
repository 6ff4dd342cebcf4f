import { describe, expect, it } from "vitest";
import { allRounds, ratioInterval, typicalRound } from "./ratio-interval.ts";

const ones = [1, 1, 1, 1];

describe("ratioInterval", () => {
  it("takes the median of rounds that do the same work, and the total of those that do not", () => {
    const first = [2, 3, 4, 8];
    expect(ratioInterval(first, ones, first, typicalRound, 1).ratio).toBeCloseTo(Math.sqrt(3 * 4), 12);
    expect(ratioInterval(first, ones, first, allRounds, 1).ratio).toBeCloseTo(17 / 4, 12);
  });

  it("holds the ratio of the fastest rounds, where rounds do the same work", () => {
    const busy = [20, 20, 20, 5];
    const { ratio, spread } = ratioInterval(busy, [2, 2, 2, 2], busy, typicalRound, 1);
    expect(ratio).toBeCloseTo(10, 12);
    expect(spread[0]).toBeLessThanOrEqual(2.5);
    expect(spread[1]).toBeCloseTo(10, 12);
    const many = [...Array<number>(40).fill(20), 5];
    const others = Array<number>(41).fill(2);
    expect(ratioInterval(many, others, many, typicalRound, 1).spread[0]).toBeCloseTo(2.5, 12);
    expect(ratioInterval(many, others, many, allRounds, 1).spread[0]).toBeGreaterThan(8);
  });

  it("is as wide as the control is off, to either side", () => {
    const control = ones.map(() => 0.8);
    const { ratio, spread } = ratioInterval(ones, [0.5, 0.5, 0.5, 0.5], control, typicalRound, 1);
    expect(ratio).toBeCloseTo(2, 12);
    expect(spread[0]).toBeCloseTo(2 * 0.8, 12);
    expect(spread[1]).toBeCloseTo(2 / 0.8, 12);
  });
});
