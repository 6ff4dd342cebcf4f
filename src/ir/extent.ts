/** @file The least and greatest of many numbers. `Math.max(...values)` puts them all on the stack, which ends at about 125,000. */

/** The greatest of `values` and `floor`, `-Infinity` when there are none; NaN when one is. */
export function maxOf(values: ArrayLike<number>, floor = Number.NEGATIVE_INFINITY): number {
  let max = floor;
  for (let i = 0; i < values.length; i++) max = Math.max(max, values[i]!);
  return max;
}

/** The least of `values` and `ceiling`, `Infinity` when there are none; NaN when one is. */
export function minOf(values: ArrayLike<number>, ceiling = Number.POSITIVE_INFINITY): number {
  let min = ceiling;
  for (let i = 0; i < values.length; i++) min = Math.min(min, values[i]!);
  return min;
}
