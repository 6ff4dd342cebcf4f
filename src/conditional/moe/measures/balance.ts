/** @file How evenly a mixture uses its experts, in numbers. */
import { maxOf } from "../../../ir/index.ts";

export interface Balance {
  /** The largest over the mean; 1 where all are equal. */
  readonly maxOverMean: number;
  /** CV, the deviation over the mean, with the population's deviation. */
  readonly variation: number;
}

/** Of loads or of importances, one number per expert. */
export function balanceOf(values: readonly number[]): Balance {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  if (!(mean > 0)) return { maxOverMean: 1, variation: 0 };
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return { maxOverMean: maxOf(values) / mean, variation: Math.sqrt(variance) / mean };
}

/** The share of tokens whose set of experts differs; routes are [tokens, k] by rows, of the same tokens. */
export function routingChurn(before: Routes, after: Routes): number {
  const count = before.experts.length / before.k;
  const setOf = ({ experts, k }: Routes, t: number) =>
    [...experts.subarray(t * k, (t + 1) * k)].sort((a, b) => a - b).join();
  let changed = 0;
  for (let t = 0; t < count; t++) if (setOf(before, t) !== setOf(after, t)) changed++;
  return count === 0 ? 0 : changed / count;
}

export interface Routes {
  readonly k: number;
  readonly experts: Int32Array;
}
