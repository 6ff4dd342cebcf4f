/** @file How far two measures put the same things in the same order. */
import { UsageError } from "../errors.ts";

/**
 * Kendall's τ-b (1945) of pairs of numbers: 1 for the same order, −1 for the reverse one, around 0 where the orders have nothing to do with
 * each other. Pairs that are equal in one of them count for neither side; NaN where one of them has a single value.
 *
 * @throws UsageError for lists of different lengths
 */
export function kendallTau(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length)
    throw new UsageError("two orders have to be of the same things", { expected: `${a.length}`, got: `${b.length}` });
  let [sum, differentA, differentB] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    for (let j = 0; j < i; j++) {
      const [first, second] = [Math.sign(a[i]! - a[j]!), Math.sign(b[i]! - b[j]!)];
      sum += first * second;
      differentA += Math.abs(first);
      differentB += Math.abs(second);
    }
  }
  return sum / Math.sqrt(differentA * differentB);
}
