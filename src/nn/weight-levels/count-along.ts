/** @file How many weights an output has. */
import type { Value } from "../../ir/index.ts";
import { lengthOf } from "../network.ts";

/** The elements along some axes. @throws ShapeError where the length of an axis is not known */
export function countAlong(weight: Value, axes: readonly number[]): number {
  return axes.reduce((count, axis) => count * lengthOf(weight, axis), 1);
}
