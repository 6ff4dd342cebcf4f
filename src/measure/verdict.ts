/** @file What an interval of a ratio of times says. */
import type { Interval } from "./statistics.ts";

/** A ratio nearer to 1 than this is no difference that matters. */
export const HORIZON = 1.02;

/** `same`: no difference above the horizon. `unclear`: the machine was too noisy, or the rounds too few, to tell. */
export type Verdict = "faster" | "slower" | "same" | "unclear";

/** Of B, whose ratio A / B lies in the interval. */
export function verdictOf([low, high]: Interval, horizon = HORIZON): Verdict {
  if (low > 1) return "faster";
  if (high < 1) return "slower";
  return low > 1 / horizon && high < horizon ? "same" : "unclear";
}

/** Whether more rounds would change nothing: the interval lies on one side of 1, and of the horizon, or between 1 / horizon and horizon. */
export function isSettled([low, high]: Interval, horizon: number): boolean {
  const holds = (bound: number): boolean => low <= bound && bound <= high;
  const isSmall = low > 1 / horizon && high < horizon;
  return isSmall || ![1 / horizon, 1, horizon].some(holds);
}
