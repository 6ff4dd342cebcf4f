import { describe, expect, it } from "vitest";
import {
  bootstrapInterval,
  mean,
  median,
  pairedInterval,
  quantile,
  studentQuantile,
  wilsonInterval,
} from "./statistics.ts";

describe("quantiles", () => {
  it("interpolate, whatever the order", () => {
    expect(quantile([4, 1, 3, 2], 0)).toBe(1);
    expect(quantile([4, 1, 3, 2], 1)).toBe(4);
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(quantile([10, 20], 0.95)).toBeCloseTo(19.5, 12);
    expect(median([])).toBeNaN();
  });
});

describe("bootstrapInterval", () => {
  const values = Array.from({ length: 400 }, (_, i) => (i * 7919) % 400);

  it("is the same for a seed and differs between seeds", () => {
    expect(bootstrapInterval(values, mean, { seed: 3 })).toEqual(bootstrapInterval(values, mean, { seed: 3 }));
    expect(bootstrapInterval(values, mean, { seed: 3 })).not.toEqual(bootstrapInterval(values, mean, { seed: 4 }));
  });

  it("has the width of the normal interval of a mean", () => {
    const [low, high] = bootstrapInterval(values, mean, { resamples: 4000 });
    const deviation = Math.sqrt(mean(values.map((value) => (value - mean(values)) ** 2)));
    const width = (2 * 1.96 * deviation) / Math.sqrt(values.length);
    expect((high - low) / width).toBeGreaterThan(0.93);
    expect((high - low) / width).toBeLessThan(1.07);
    expect((high + low) / 2).toBeCloseTo(mean(values), 0);
  });

  it("of equal values is a point", () => {
    expect(bootstrapInterval([2, 2, 2], median)).toEqual([2, 2]);
  });
});

describe("studentQuantile", () => {
  // Student's table to three digits.
  it.each([
    [1, 12.706],
    [4, 2.776],
    [10, 2.228],
    [11, 2.201],
    [20, 2.086],
    [60, 2.0],
    [1e9, 1.96],
  ])("of %d degrees of freedom is %f", (degrees, quantile) => {
    expect(studentQuantile(degrees)).toBeCloseTo(quantile, 2);
  });
});

describe("pairedInterval", () => {
  // By Wald's formula √((p + q − (p − q)²) / N) for shares p and q of N, with the counts b + ½, c + ½ and N = n + 2 as in Agresti and Min 2005.
  it.each([
    [10, 5, 100, -0.02725, 0.12529],
    [5, 10, 100, -0.12529, 0.02725],
    [0, 0, 98, -0.0196, 0.0196],
    [30, 0, 200, 0.09852, 0.19851],
    [1, 0, 1, -0.5101, 1],
  ])("of %d against %d in %d is %f to %f", (onlyFirst, onlySecond, n, low, high) => {
    const found = pairedInterval(onlyFirst, onlySecond, n);
    expect(found[0]).toBeCloseTo(low, 4);
    expect(found[1]).toBeCloseTo(high, 4);
  });

  it("of nothing is everything", () => {
    expect(pairedInterval(0, 0, 0)).toEqual([-1, 1]);
  });
});

describe("wilsonInterval", () => {
  // The first two and the last as in Newcombe 1998, table I, method 3.
  it.each([
    [81, 263, 0.2553, 0.3662],
    [15, 148, 0.0624, 0.1605],
    [0, 10, 0, 0.2775],
    [10, 10, 0.7225, 1],
    [1, 29, 0.0061, 0.1718],
  ])("of %d in %d is %f to %f", (successes, n, low, high) => {
    const found = wilsonInterval(successes, n);
    expect(found[0]).toBeCloseTo(low, 4);
    expect(found[1]).toBeCloseTo(high, 4);
  });

  it("of nothing is everything", () => {
    expect(wilsonInterval(0, 0)).toEqual([0, 1]);
  });
});
