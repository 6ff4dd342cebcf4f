/** @file Order statistics, and bootstrap intervals from a seeded generator. */
import { checkOptions, type OptionNames } from "../options.ts";

/** The `p` quantile by linear interpolation between the sorted values; NaN of nothing. */
export function quantile(values: ArrayLike<number>, p: number): number {
  const sorted = Float64Array.from(values).sort();
  const position = p * (sorted.length - 1);
  const low = sorted[Math.floor(position)] ?? Number.NaN;
  const high = sorted[Math.ceil(position)] ?? Number.NaN;
  return low + (high - low) * (position - Math.floor(position));
}

export function median(values: ArrayLike<number>): number {
  return quantile(values, 0.5);
}

export function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return sum / values.length;
}

export interface BootstrapOptions {
  readonly seed?: number;
  readonly resamples?: number;
}

export type Interval = readonly [low: number, high: number];

/** The 97.5 % quantile of the normal distribution. */
const Z = 1.959963984540054;

const bootstrapOptionsNames: OptionNames<BootstrapOptions> = { seed: true, resamples: true };

/** The 95 % percentile bootstrap interval of `statistic` (Efron 1979): resampled with replacement, the same for a seed. */
export function bootstrapInterval(
  values: ArrayLike<number>,
  statistic: (sample: Float64Array) => number,
  options: BootstrapOptions = {},
): Interval {
  const { seed = 0, resamples = 1000 } = checkOptions(options, bootstrapOptionsNames);
  const random = splitMix(seed);
  const sample = new Float64Array(values.length);
  const found = new Float64Array(resamples);
  for (let round = 0; round < resamples; round++) {
    for (let i = 0; i < sample.length; i++) sample[i] = values[random() % values.length]!;
    found[round] = statistic(sample);
  }
  return [quantile(found, 0.025), quantile(found, 0.975)];
}

/** The 95 % interval of a share of which `successes` of `n` were seen (Wilson 1927); from 0 to 1 of none. */
export function wilsonInterval(successes: number, n: number): Interval {
  if (n === 0) return [0, 1];
  const share = successes / n;
  const spread = Z * Math.sqrt((share * (1 - share)) / n + Z ** 2 / (4 * n ** 2));
  const [middle, scale] = [share + Z ** 2 / (2 * n), 1 + Z ** 2 / n];
  return [Math.max(0, (middle - spread) / scale), Math.min(1, (middle + spread) / scale)];
}

/** 32-bit integers by SplitMix (Steele, Lea, Flood 2014) with MurmurHash3's finaliser. */
function splitMix(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return (z ^ (z >>> 16)) >>> 0;
  };
}
