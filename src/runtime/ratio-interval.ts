/** @file How much faster one side is than the other, with an interval that holds on a busy machine. */
import { minOf } from "../ir/index.ts";
import { bootstrapInterval, type Interval, median } from "./statistics.ts";

/** Milliseconds of one side in every round; positions are rounds. */
export type Rounds = readonly number[];

export interface Ratio {
  /** Above 1, the other side is faster than the first. */
  readonly ratio: number;
  readonly spread: Interval;
}

/** How the times of rounds become one figure, as a logarithm. */
export interface Estimator {
  /** Of the rounds at these positions, which may repeat. */
  of(first: Rounds, other: Rounds, positions: Float64Array): number;
  /** Another estimate of the same, which interference moves otherwise; none where there is none. */
  check?(first: Rounds, other: Rounds): number;
}

/** Rounds that do the same work: the median of the ratios, checked by the ratio of the fastest rounds. */
export const typicalRound: Estimator = {
  of: (first, other, positions) => median(positions.map((round) => Math.log(first[round]! / other[round]!))),
  check: (first, other) => Math.log(minOf(first) / minOf(other)),
};

/** Rounds whose inputs differ: the ratio of the total times. */
export const allRounds: Estimator = {
  of: (first, other, positions) => Math.log(sumAt(first, positions) / sumAt(other, positions)),
};

/**
 * The ratio of `first` to `other` and its interval. With m the logarithm of the ratio, [l, h] its 95 % bootstrap interval over rounds, and ν
 * the larger absolute end of the interval of log(first / control), where the control is `first` once more: exp [min(l, m − ν), max(h, m + ν)],
 * widened to the estimator's check. A bootstrap over rounds alone sees neither where a session lies in memory nor drift that
 * lasts as long as the rounds do.
 */
export function ratioInterval(
  first: Rounds,
  other: Rounds,
  control: Rounds,
  estimator: Estimator,
  seed: number,
): Ratio {
  const [middle, low, high] = logarithms(first, other, estimator, seed);
  const [, lowest, highest] = logarithms(first, control, estimator, seed);
  const noise = Math.max(Math.abs(lowest), Math.abs(highest));
  const check = estimator.check?.(first, other) ?? middle;
  return {
    ratio: Math.exp(middle),
    spread: [Math.exp(Math.min(low, middle - noise, check)), Math.exp(Math.max(high, middle + noise, check))],
  };
}

function logarithms(first: Rounds, other: Rounds, { of }: Estimator, seed: number): [number, number, number] {
  const positions = Float64Array.from(first.keys());
  const statistic = (sample: Float64Array): number => of(first, other, sample);
  return [statistic(positions), ...bootstrapInterval(positions, statistic, { seed })];
}

function sumAt(times: Rounds, positions: Float64Array): number {
  return positions.reduce((sum, round) => sum + times[round]!, 0);
}
