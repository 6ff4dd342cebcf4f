/** @file Order statistics, and bootstrap intervals from a seeded generator. */
import { checkOptions, type OptionNames } from "../options.ts";
import { splitMix } from "./split-mix.ts";

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

/** The 97.5 % quantile of the normal distribution, and those of Student's t with 1, 2, … degrees of freedom. */
const Z = 1.959963984540054;
const T = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228];

const bootstrapOptionsNames: OptionNames<BootstrapOptions> = { seed: true, resamples: true };

/** The 97.5 % quantile of Student's t: by a table up to ten degrees of freedom, then within 0.1 % by two terms of its expansion at the normal one. */
export function studentQuantile(degrees: number): number {
  return T[degrees - 1] ?? Z + (Z ** 3 + Z) / (4 * degrees) + (5 * Z ** 5 + 16 * Z ** 3 + 3 * Z) / (96 * degrees ** 2);
}

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

/**
 * The 95 % interval of the difference of two shares of the same `n` samples, of which `onlyFirst` count for the first share alone and
 * `onlySecond` for the second alone: Wald's with half a sample added to each of the four kinds (Agresti, Min 2005). It has a width where no
 * sample differs, too. From −1 to 1 of none.
 */
export function pairedInterval(onlyFirst: number, onlySecond: number, n: number): Interval {
  if (n === 0) return [-1, 1];
  const total = n + 2;
  const middle = (onlyFirst - onlySecond) / total;
  const spread = (Z * Math.sqrt(onlyFirst + onlySecond + 1 - (onlyFirst - onlySecond) ** 2 / total)) / total;
  return [Math.max(-1, middle - spread), Math.min(1, middle + spread)];
}

/** The 95 % interval of a share of which `successes` of `n` were seen (Wilson 1927); from 0 to 1 of none. */
export function wilsonInterval(successes: number, n: number): Interval {
  if (n === 0) return [0, 1];
  const share = successes / n;
  const spread = Z * Math.sqrt((share * (1 - share)) / n + Z ** 2 / (4 * n ** 2));
  const [middle, scale] = [share + Z ** 2 / (2 * n), 1 + Z ** 2 / n];
  return [Math.max(0, (middle - spread) / scale), Math.min(1, (middle + spread) / scale)];
}
