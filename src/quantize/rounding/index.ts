/** @file All roundings by name. */
import { nearest } from "./nearest.ts";
import type { Rounding } from "./rounding.ts";
import { secondOrder } from "./second-order.ts";

export const roundings = {
  nearest: () => nearest,
  "second-order": () => secondOrder(),
} as const satisfies Record<string, () => Rounding>;

export type RoundingName = keyof typeof roundings;

export type { Rounding, RoundingProblem, RoundingResult } from "./rounding.ts";
export { type SecondOrderOptions, secondOrder } from "./second-order.ts";
export { nearest };
