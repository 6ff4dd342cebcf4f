/** @file What a schedule is: the learning rate as a function of the step. */
import { UsageError } from "../../errors.ts";

/**
 * The factor of the learning rate at a step. `step` counts from 0, `total` is the number of steps of the whole run; both
 * count updates.
 */
export type Schedule = (step: number, total: number) => number;

export function checkShare(name: string, value: number): void {
  if (value >= 0 && value <= 1) return;
  throw new UsageError(`${name} is out of range`, { expected: "0 to 1", got: String(value) });
}
