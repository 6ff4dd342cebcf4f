import { describe, expect, it } from "vitest";
import { UsageError } from "../errors.ts";
import { permutation, philox, random } from "./random.ts";

const hex = (words: readonly number[]) => words.map((word) => word.toString(16).padStart(8, "0")).join(" ");

describe("philox", () => {
  // The known-answer vectors that Random123 publishes for philox4x32 with 10 rounds.
  it("gives the published answers", () => {
    const ones = 0xffffffff;
    expect(hex(philox([0, 0, 0, 0], [0, 0]))).toBe("6627e8d5 e169c58d bc57ac4c 9b00dbd8");
    expect(hex(philox([ones, ones, ones, ones], [ones, ones]))).toBe("408f276d 41c83b0e a20bc7c6 6d5451fd");
    expect(hex(philox([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0]))).toBe(
      "d16cfe09 94fdcceb 5001e420 24126ea1",
    );
  });
});

describe("random", () => {
  it("depends on seed and stream alone", () => {
    const draws = (seed: number, stream: number) => Array.from({ length: 9 }, random(seed, stream).word);
    expect(draws(1, 2)).toEqual(draws(1, 2));
    expect(draws(1, 2)).not.toEqual(draws(1, 3));
    expect(draws(1, 2)).not.toEqual(draws(2, 2));
    expect(draws(2 ** 40, 0)).not.toEqual(draws(0, 0));
  });

  it("has the moments of its distributions", () => {
    const source = random(7);
    const n = 20_000;
    const uniform = Float64Array.from({ length: n }, source.uniform);
    const normal = Float64Array.from({ length: n }, source.normal);
    const mean = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0) / n;
    const variance = (values: Float64Array) => mean(values.map((value) => value ** 2)) - mean(values) ** 2;
    expect(Math.min(...uniform)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...uniform)).toBeLessThan(1);
    expect(mean(uniform)).toBeCloseTo(0.5, 1);
    expect(variance(uniform)).toBeCloseTo(1 / 12, 2);
    expect(mean(normal)).toBeCloseTo(0, 1);
    expect(variance(normal)).toBeCloseTo(1, 1);
  });

  it("draws every integer below a bound equally often", () => {
    const source = random(3);
    const counts = new Array<number>(6).fill(0);
    for (let i = 0; i < 12_000; i++) counts[source.below(6)]!++;
    for (const count of counts) expect(Math.abs(count - 2000)).toBeLessThan(200);
  });

  it("permutes", () => {
    const order = permutation(100, random(5));
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, i) => i));
    expect(order).not.toEqual([...order].sort((a, b) => a - b));
  });

  it.each([-1, 0.5, Number.NaN, 2 ** 53])("refuses the seed %s", (seed) => {
    expect(() => random(seed)).toThrow(UsageError);
  });
});
