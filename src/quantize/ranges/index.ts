/** @file All learned ranges by name. One range is one file and one line; the law iterates over it. */
import { lsqRange } from "./lsq.ts";
import { minMaxRange } from "./min-max.ts";
import { pactRange } from "./pact.ts";
import type { LearnedRange } from "./range.ts";

export const ranges = {
  lsq: lsqRange,
  "min-max": minMaxRange,
  pact: pactRange,
} as const satisfies Record<string, () => LearnedRange>;

export type RangeName = keyof typeof ranges;

export type { MinMaxRangeOptions } from "./min-max.ts";
export type { PactRangeOptions } from "./pact.ts";
export type { LearnedRange, LearningRange, RangeParameter, RangeSite, RangeStatistic } from "./range.ts";
export { lsqRange, minMaxRange, pactRange };
