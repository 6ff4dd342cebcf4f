/** @file How much faster one model is than another, with an interval that holds on a busy machine. */
import { nth } from "../checked.ts";
import { minOf } from "../ir/index.ts";
import { bootstrapInterval, type Interval, mean, median, studentQuantile } from "./statistics.ts";

/** Milliseconds of one session in every round; positions are rounds. */
export type Rounds = readonly number[];

export interface Ratio {
  /** Above 1, the other model is faster than the first. */
  readonly ratio: number;
  readonly spread: Interval;
  /** Whether the sessions come out further apart than more rounds could tell. */
  readonly isOfSessions: boolean;
}

/** How the times of a session become one figure, as a logarithm. */
export interface Estimator {
  /** Of the rounds at these positions, which may repeat; `usual` is what a session takes in each round, the mean logarithm over all. */
  level(rounds: Rounds, usual: Rounds, positions: Float64Array): number;
  /** Another estimate of the ratio of two models, which interference moves otherwise; none where there is none. */
  check?(first: readonly Rounds[], other: readonly Rounds[]): number;
}

/** Rounds that do the same work: the median of what a session takes beside the others, checked by the ratio of the fastest rounds. */
export const typicalRound: Estimator = {
  level: (rounds, usual, positions) =>
    median(positions.map((round) => Math.log(nth(rounds, round)) - nth(usual, round))),
  check: (first, other) =>
    Math.log(minOf(first.map((rounds) => minOf(rounds))) / minOf(other.map((rounds) => minOf(rounds)))),
};

/** Rounds whose inputs differ: the total time. */
export const allRounds: Estimator = {
  level: (rounds, _, positions) => Math.log(positions.reduce((sum, round) => sum + nth(rounds, round), 0)),
};

/** The part of the sessions' interval that that of the rounds may be for the rounds to be enough. */
const ENOUGH = 1 / 2;

/**
 * The ratio of `first` to `other`, each timed in several sessions, and its interval. Every session has a level, the logarithm of its time; m
 * is the difference of the mean levels, [l, h] its 95 % bootstrap interval over rounds, and ν = t s √(1/a + 1/b) the half width of its 95 %
 * interval over sessions, with s the deviation of the levels within a model and t by Student. The result is exp [min(l, m − ν), max(h, m + ν)],
 * widened to the estimator's check. A bootstrap over rounds alone does not see that two sessions of one model differ. Of one session each
 * there is no ν.
 */
export function ratioInterval(
  first: readonly Rounds[],
  other: readonly Rounds[],
  estimator: Estimator,
  seed: number,
): Ratio {
  const all = [...first, ...other];
  const usual = nth(first, 0).map((_, round) => mean(all.map((rounds) => Math.log(nth(rounds, round)))));
  const levels = (sessions: readonly Rounds[], positions: Float64Array): number[] =>
    sessions.map((rounds) => estimator.level(rounds, usual, positions));
  const difference = (positions: Float64Array): number =>
    mean(levels(first, positions)) - mean(levels(other, positions));
  const positions = Float64Array.from(usual.keys());
  const middle = difference(positions);
  const [low, high] = bootstrapInterval(positions, difference, { seed });
  const noise = betweenSessions(levels(first, positions), levels(other, positions));
  const check = estimator.check?.(first, other) ?? middle;
  return {
    ratio: Math.exp(middle),
    spread: [Math.exp(Math.min(low, middle - noise, check)), Math.exp(Math.max(high, middle + noise, check))],
    isOfSessions: high - low < 2 * ENOUGH * noise,
  };
}

/** The half width ν; 0 where no model has two sessions. */
function betweenSessions(first: readonly number[], other: readonly number[]): number {
  const degrees = first.length + other.length - 2;
  if (degrees === 0) return 0;
  const deviation = Math.sqrt((squares(first) + squares(other)) / degrees);
  return studentQuantile(degrees) * deviation * Math.sqrt(1 / first.length + 1 / other.length);
}

function squares(levels: readonly number[]): number {
  const middle = mean(levels);
  return levels.reduce((sum, level) => sum + (level - middle) ** 2, 0);
}
