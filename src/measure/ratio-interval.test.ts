import { describe, expect, it } from "vitest";
import { allRounds, ratioInterval, typicalRound } from "./ratio-interval.ts";

const steady = (time: number): number[] => Array<number>(8).fill(time);

describe("ratioInterval", () => {
  it("takes the median of rounds that do the same work, and the total of those that do not", () => {
    const first = [2, 3, 4, 8];
    const ones = [1, 1, 1, 1];
    expect(ratioInterval([first], [ones], typicalRound, 1).ratio).toBeCloseTo(Math.sqrt(3 * 4), 12);
    expect(ratioInterval([first], [ones], allRounds, 1).ratio).toBeCloseTo(17 / 4, 12);
  });

  it("holds the ratio of the fastest rounds of any session, where rounds do the same work", () => {
    const [many, others] = [[...Array<number>(40).fill(20), 5], Array<number>(41).fill(2)];
    const { ratio, spread } = ratioInterval([many], [others], typicalRound, 1);
    expect(ratio).toBeCloseTo(10, 12);
    expect(spread[0]).toBeCloseTo(2.5, 12);
    expect(spread[1]).toBeCloseTo(10, 12);
    expect(ratioInterval([many], [others], allRounds, 1).spread[0]).toBeGreaterThan(8);
  });

  it("is Student's of the levels of the sessions, where these are further apart than the rounds", () => {
    // Levels ln 1, ln 1.1, ln 1.2 against ln 0.5, ln 0.5, ln 0.6: s² = (0.016632 + 0.022161) / 4, t of four degrees 2.776.
    const sides = [[1, 1.1, 1.2].map(steady), [0.5, 0.5, 0.6].map(steady)] as const;
    const { ratio, spread, isOfSessions } = ratioInterval(...sides, allRounds, 1);
    expect(ratio).toBeCloseTo((1.1 * 1.2) ** (1 / 3) / (0.5 * 0.5 * 0.6) ** (1 / 3), 12);
    expect(Math.log(spread[1] / ratio)).toBeCloseTo(2.776 * Math.sqrt((0.016632 + 0.022161) / 4) * Math.sqrt(2 / 3), 4);
    expect(spread[0] * spread[1]).toBeCloseTo(ratio ** 2, 9);
    expect(isOfSessions).toBe(true);
    const unequal = ratioInterval([1, 1.1].map(steady), [[...steady(0.5)]], allRounds, 1);
    const half = 12.706 * (Math.log(1.1) / Math.sqrt(2)) * Math.sqrt(1 / 2 + 1);
    expect(Math.log(unequal.spread[1] / unequal.ratio)).toBeCloseTo(half, 6);
  });

  it("is that of the rounds where these are further apart, and where there is one session each", () => {
    const noisy = [1, 1.4, 0.8, 1.1, 0.9, 1.3, 0.7, 1.2];
    expect(ratioInterval([noisy, noisy], [steady(1), steady(1)], typicalRound, 1).isOfSessions).toBe(false);
    expect(ratioInterval([steady(2)], [steady(1)], typicalRound, 1)).toEqual({
      ...{ ratio: expect.closeTo(2, 12), isOfSessions: false },
      spread: [expect.closeTo(2, 12), expect.closeTo(2, 12)],
    });
  });

  it("does not see what slows all sessions of a round alike", () => {
    const drift = [1, 2, 3, 4, 5, 6, 7, 8];
    const slower = drift.map((time) => 2 * time);
    const { ratio, spread } = ratioInterval([slower, slower], [drift, drift], typicalRound, 1);
    expect(ratio).toBeCloseTo(2, 12);
    expect(spread[0]).toBeCloseTo(2, 9);
    expect(spread[1]).toBeCloseTo(2, 9);
  });
});
