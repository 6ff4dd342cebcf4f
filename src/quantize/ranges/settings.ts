/** @file Checks of what ranges are told. */
import { UsageError } from "../../errors.ts";

/** @throws UsageError outside of [0, 1] */
export function checkShare(name: string, value: number): void {
  if (value >= 0 && value <= 1) return;
  throw new UsageError(`${name} is out of range`, { expected: "a number from 0 to 1", got: String(value) });
}

/** @throws UsageError for what is below 0 or not finite */
export function checkPositive(name: string, value: number): void {
  if (value >= 0 && Number.isFinite(value)) return;
  throw new UsageError(`${name} is out of range`, { expected: "0 or more", got: String(value) });
}
