/** @file The share of values that is sent. */
import { UsageError } from "../../errors.ts";

/** @throws UsageError for what is no share above 0 */
export function checkDensity(density: number, name = "density"): number {
  if (density > 0 && density <= 1) return density;
  throw new UsageError(`${name} is a share of the values`, { expected: "above 0, at most 1", got: String(density) });
}

/** How many of `length` values that is, rounded up. */
export function countOf(density: number, length: number): number {
  return Math.ceil(density * length);
}
