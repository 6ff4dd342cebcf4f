/** @file How sure a row of classes is of its answer. */
import { maxOf } from "../ir/index.ts";

/** What rounding may add to a share. */
const SLACK = 1e-3;

/**
 * The largest probability of a row: as it stands where all numbers are shares, which a softmax or sigmoids end in, else after a softmax.
 * NaN of a row with NaN.
 */
export function confidenceOf(row: Float64Array): number {
  const largest = row.some(Number.isNaN) ? Number.NaN : maxOf(row);
  if (row.every((value) => value >= 0 && value <= 1 + SLACK)) return Math.min(1, largest);
  if (largest === Number.POSITIVE_INFINITY) return 1;
  let sum = 0;
  for (const value of row) sum += Math.exp(value - largest);
  return 1 / sum;
}
