/** @file The one place where 64-bit integers become numbers and numbers become 64-bit integers: exactly, or as the function's name says. */
import { InvalidModelError, type Where } from "../errors.ts";

const LARGEST = BigInt(Number.MAX_SAFE_INTEGER);

/** The integer as a number. @throws InvalidModelError beyond 2^53, where a number would be another integer. */
export function exactNumber(value: bigint, where?: Where): number {
  if (value >= -LARGEST && value <= LARGEST) return Number(value);
  throw inexact(value, where);
}

/** The nearest number to which every length, index and bound compares as to the integer: `INT64_MAX` is "to the end" for both. */
export function clampedNumber(value: bigint): number {
  if (value > LARGEST) return Number.MAX_SAFE_INTEGER;
  return value < -LARGEST ? Number.MIN_SAFE_INTEGER : Number(value);
}

/** The nearest number. What was rounded is beyond 2^53, so that `exactBigint` refuses to make an integer of it again. */
export function nearestNumber(value: number | bigint): number {
  return Number(value);
}

/** The number as an integer. @throws InvalidModelError when it has a fraction, is not finite or may have been rounded before. */
export function exactBigint(value: number, where?: Where): bigint {
  if (Number.isSafeInteger(value)) return BigInt(value);
  throw inexact(value, where);
}

/** The nearest whole number towards zero; NaN becomes 0 and infinities the ends of int64. */
export function truncatedBigint(value: number): bigint {
  if (Number.isNaN(value)) return 0n;
  if (!Number.isFinite(value)) return value > 0 ? 2n ** 63n - 1n : -(2n ** 63n);
  return BigInt(Math.trunc(value));
}

function inexact(value: number | bigint, where: Where | undefined): InvalidModelError {
  return new InvalidModelError("a number is not exactly a 64-bit integer", {
    expected: "an integer between -(2^53 - 1) and 2^53 - 1",
    got: `${value}`,
    ...(where === undefined ? {} : { where }),
  });
}
