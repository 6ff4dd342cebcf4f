import { describe, expect, it } from "vitest";
import { bootstrapInterval, mean, median, quantile } from "./statistics.ts";

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
