import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parametersOf } from "../../scheme.ts";
import { histogram } from "./histogram.ts";
import { entropy, entropyThreshold, meanSquaredError, minMax, movingAverage, percentile } from "./index.ts";

interface Recorded {
  readonly seed: number;
  readonly count: number;
  readonly sign: "both" | "positive" | "negative";
  readonly levels: number;
  readonly symmetric: boolean;
  readonly min: number;
  readonly max: number;
}

const recorded: readonly Recorded[] = JSON.parse(
  readFileSync(new URL("../../../../test/fixtures/observers/entropy.json", import.meta.url), "utf8"),
);

const signs = { both: (x: number) => x, positive: Math.abs, negative: (x: number) => -Math.abs(x) };

/** The values of the fixture's script, from whole numbers. */
function heavyTailed(count: number, seed: number): Float64Array {
  let state = seed;
  const next = (): number => {
    state = (state * 16807) % 2147483647;
    return (state % 2001) - 1000;
  };
  return new Float64Array(count).map(() => (next() * next() * next()) / 1e6);
}

describe("histogram", () => {
  it("is empty until it sees what is not zero", () => {
    const bins = histogram(8, "value");
    const states = [[], [0, 0]].map((batch) => {
      bins.add(batch);
      return [bins.start, bins.width, bins.counts.length];
    });
    expect(states).toEqual([
      [0, 0, 0],
      [0, 0, 0],
    ]);
    expect(bins.seen).toEqual({ min: 0, max: 0 });
  });

  it("keeps counts when it grows on either side", () => {
    const bins = histogram(8, "value");
    bins.add([0, 1, 2, 3, 4]);
    bins.add([9, -3, 4.5]);
    expect(bins.counts.reduce((a, b) => a + b)).toBe(8);
    expect(bins.seen).toEqual({ min: -3, max: 9 });
    expect(bins.start).toBeLessThanOrEqual(-3);
    expect(bins.start + bins.width * bins.counts.length).toBeGreaterThanOrEqual(9);
  });

  it("has every value in the bin where it lies, after it grew and merged", () => {
    const bins = histogram(4, "value");
    // Width 1 from 0 on; two more bins below and one above, with 16 at most.
    for (const batch of [[0, 0.5, 1.5, 4], [-1.5, 4.5], [2.5]]) bins.add(batch);
    expect([bins.start, bins.width, [...bins.counts]]).toEqual([-2, 1, [1, 0, 2, 1, 1, 1, 1]]);
    // −12 is further than 16 bins of 1 reach, so they become 4 of 2.
    bins.add([-12]);
    expect([bins.start, bins.width]).toEqual([-12, 2]);
    expect([...bins.counts]).toEqual([1, 0, 0, 0, 0, 1, 3, 2, 1]);
  });

  it("merges bins rather than grow without bound", () => {
    const bins = histogram(8, "magnitude");
    bins.add([1]);
    bins.add([1e6]);
    expect(bins.counts.length).toBeLessThanOrEqual(32);
    expect(bins.counts.reduce((a, b) => a + b)).toBe(2);
  });
});

describe("entropy", () => {
  it("takes the last threshold of several that lose nothing", () => {
    // Equal counts: merging bins loses nothing as long as a group's bins are equal and nothing is clipped.
    expect(entropyThreshold(new Float64Array(2048).fill(5))).toBe(2048);
    // Nothing is clipped from two bins on, and what is merged is equal or empty: KL is 0 for 2, 3 and 4.
    expect(entropyThreshold([4, 4, 0, 0], 2)).toBe(4);
  });

  it("replaces the first bin by the second", () => {
    const counts = new Float64Array(256).fill(1);
    counts[0] = 1e9;
    expect(entropyThreshold(counts)).toBe(entropyThreshold(new Float64Array(256).fill(1)));
  });

  it("finds the threshold that the divergence computed by hand asks for", () => {
    // Four bins into two groups, from two bins on; the first becomes 4. For i = 2: P = (4, 4 + 1 + 1)/10, Q = (4, 4)/8, so
    // KL = 0.4 ln 0.8 + 0.6 ln 1.2 = 0.0201. For i = 3: groups {0, 1}, {2}: P = (4, 4, 2)/10, Q = (4, 4, 1)/9, KL = 0.0335 - 0.0…;
    // for i = 4: groups {0, 1}, {2, 3} are equal inside, KL = 0.
    expect(entropyThreshold([9, 4, 1, 1], 2)).toBe(4);
    // With an uneven last group the whole range loses: KL(4) = Σ p ln p/q with q = (2.5, 2.5) for (4, 1), while i = 2 clips 5 of 13.
    const p = [4 / 13, 4 / 13, 4 / 13, 1 / 13];
    const whole = p[2]! * Math.log(4 / 2.5) + p[3]! * Math.log(1 / 2.5);
    const three = (8 / 13) * Math.log(4 / 13 / (4 / 12)) + (5 / 13) * Math.log(5 / 13 / (4 / 12));
    expect(three).toBeLessThan(whole);
    expect(entropyThreshold([4, 4, 4, 1], 2)).toBe(3);
  });

  it.each(recorded)("has the range that numpy finds: $sign, $levels levels, symmetric $symmetric", (given) => {
    const { seed, count, sign, levels, symmetric, min, max } = given;
    const observer = entropy({ levels, symmetric });
    observer.observe(heavyTailed(count, seed).map(signs[sign]));
    expect(observer.range().min).toBeCloseTo(min, 6);
    expect(observer.range().max).toBeCloseTo(max, 6);
  });

  it("keeps all where there are more levels than bins", () => {
    const observer = entropy({ levels: 65536 });
    observer.observe([...new Float32Array(1000).fill(0.1), 50]);
    expect(observer.range()).toEqual({ min: Math.fround(0.1), max: 50 });
  });

  it("has seen nothing, or zeros alone", () => {
    const observer = entropy();
    expect(observer.range()).toEqual({ min: 0, max: 0 });
    observer.observe([0, 0]);
    const { min, max } = observer.range();
    expect([min === 0, max === 0]).toEqual([true, true]);
  });

  it("clips a lonely outlier", () => {
    const observer = entropy();
    observer.observe(Float32Array.from({ length: 40000 }, (_, i) => -Math.log((i + 0.5) / 40000)));
    observer.observe([90]);
    expect(observer.range().max).toBeLessThan(30);
  });
});

describe("mean squared error", () => {
  it.each([false, true])("is silent about zeros and what it has not seen, symmetric %s", (symmetric) => {
    const observer = meanSquaredError({ symmetric });
    expect(observer.range()).toEqual({ min: 0, max: 0 });
    observer.observe([0, 0]);
    const { min, max } = observer.range();
    expect([min === 0, max === 0]).toEqual([true, true]);
  });

  it.each([1, 2048])("clips what stands alone, also at %d, where bins or the range are one wide", (edge) => {
    const observer = meanSquaredError({ levels: 4 });
    observer.observe([...Array.from({ length: 2000 }, (_, i) => ((i % 300) * edge) / 2048), edge]);
    const { min, max } = observer.range();
    expect(min).toBe(0);
    expect(max).toBeLessThan(0.3 * edge);
  });

  it("lies inside of what was seen where it is symmetric", () => {
    const observer = meanSquaredError({ symmetric: true });
    observer.observe([-1, -0.5, 0.5, 3]);
    const { min, max } = observer.range();
    expect(min).toBeGreaterThanOrEqual(-1);
    expect(max).toBeLessThanOrEqual(3);
    expect(max).toBeGreaterThan(2);
  });

  it("keeps the whole range of uniform values", () => {
    const observer = meanSquaredError();
    observer.observe(Float32Array.from({ length: 10000 }, (_, i) => i / 9999));
    expect(observer.range().max).toBeGreaterThan(0.97);
  });

  it.each([
    { levels: 4, symmetric: false, tail: 1 },
    { levels: 16, symmetric: false, tail: 3 },
    { levels: 16, symmetric: true, tail: 3 },
    { levels: 64, symmetric: false, tail: 5 },
  ])("is about the least of all ranges, on the values themselves: $levels levels, symmetric $symmetric", (given) => {
    const { levels, symmetric, tail } = given;
    const values = heavyTailed(4000, 5).map((x) => (x > 0 ? tail * x : x));
    const limits = { low: 0, high: levels - 1 };
    const errorOf = (range: { min: number; max: number }) => {
      const parameters = parametersOf(range, limits, symmetric);
      return values.reduce((sum, x) => {
        const { scale, zeroPoint } = parameters;
        const integer = Math.min(limits.high, Math.max(limits.low, Math.round(x / scale) + zeroPoint));
        return sum + (x - scale * (integer - zeroPoint)) ** 2;
      }, 0);
    };
    const [least, most] = [Math.min(...values), Math.max(...values)];
    const shares = Array.from({ length: 21 }, (_, i) => 0.2 + 0.04 * i);
    const pairs = symmetric
      ? shares.map((share) => [share, share])
      : shares.flatMap((low) => shares.map((high) => [low, high]));
    const edge = Math.max(-least, most);
    const errors = pairs.map(([low, high]) =>
      errorOf(symmetric ? { min: -edge * low!, max: edge * high! } : { min: least * low!, max: most * high! }),
    );
    const observer = meanSquaredError({ levels, symmetric });
    observer.observe(values.subarray(0, 1000));
    observer.observe(values.subarray(1000));
    expect(errorOf(observer.range())).toBeLessThan(1.03 * Math.min(...errors));
    expect(Math.min(...errors)).toBeLessThan(0.96 * errorOf({ min: least, max: most }));
  });

  it("gives up a far outlier for finer steps, on the side where it lies", () => {
    const bulk = Float32Array.from({ length: 40000 }, (_, i) => Math.sin(i));
    for (const outlier of [40, -40]) {
      const observer = meanSquaredError({ levels: 16 });
      observer.observe([...bulk, outlier]);
      const { min, max } = observer.range();
      expect(Math.max(-min, max)).toBeLessThan(30);
      expect(Math.min(-min, max)).toBeGreaterThan(0.5);
    }
  });
});

it("leaves out tails by percentile", () => {
  const observer = percentile({}, 90);
  observer.observe(Float32Array.from({ length: 1001 }, (_, i) => i / 1000));
  const { min, max } = observer.range();
  expect(min).toBeCloseTo(0.05, 2);
  expect(max).toBeCloseTo(0.95, 2);
});

it("keeps all of the range where no tail may go", () => {
  const observer = percentile({}, 100);
  observer.observe([-3, 0.25, 1]);
  expect(observer.range()).toEqual({ min: -3, max: 1 });
});

it("leaves out 5 values of a million at either end when nothing else is said", () => {
  const ends = (count: number) => {
    const observer = percentile();
    observer.observe([...Float32Array.from({ length: count - 2 }, (_, i) => i / (count - 3)), -0.5, 1.5]);
    return observer.range();
  };
  // Of 100,000 values half a one may go, which is none; of 300,000 one and a half, which is the one outside.
  expect(ends(100_000)).toEqual({ min: -0.5, max: 1.5 });
  const { min, max } = ends(300_000);
  expect(min).toBeCloseTo(0, 2);
  expect(max).toBeCloseTo(1, 2);
});

it("averages batches, starting from the first, with a tenth of each later one", () => {
  const observer = movingAverage();
  for (const batch of [[-1, 1], [-3, 5], [Number.NaN], [-2, 11]]) observer.observe(batch);
  // −1 + 0.1 · (−3 + 1) = −1.2, then + 0.1 · (−2 + 1.2); 1 + 0.1 · 4 = 1.4, then + 0.1 · (11 − 1.4).
  expect(observer.range().min).toBeCloseTo(-1.28, 12);
  expect(observer.range().max).toBeCloseTo(2.36, 12);
});

it("takes a single value for the range", () => {
  for (const observer of [minMax(), movingAverage()]) {
    observer.observe([3]);
    expect(observer.range()).toEqual({ min: 3, max: 3 });
    observer.observe([]);
    expect(observer.range()).toEqual({ min: 3, max: 3 });
  }
});

it("ignores what is not finite", () => {
  const observer = minMax();
  observer.observe([Number.NaN, -Infinity, 2, Infinity, -1]);
  expect(observer.range()).toEqual({ min: -1, max: 2 });
});
