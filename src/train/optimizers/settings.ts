/** @file Checks of an optimizer's settings. */
import { UsageError } from "../../errors.ts";

/** A number from 0 up to, but without, `limit`. */
export function checkFactor(name: string, value: number, limit = 1): void {
  if (value >= 0 && value < limit) return;
  const expected =
    limit === Number.POSITIVE_INFINITY ? "a finite number of at least 0" : `at least 0 and below ${limit}`;
  throw new UsageError(`${name} is out of range`, { expected, got: String(value) });
}
