/** @file Combinations of branches. One is one file and one line in `combinations`; the law iterates over it. */
import { learnedScale } from "./learned-scale.ts";
import { mean } from "./mean.ts";
import { residualSum } from "./residual-sum.ts";
import { sum } from "./sum.ts";

/** Every combination under its name. */
export const combinations = { sum, mean, residualSum, learnedScale } as const;

export type CombinationName = keyof typeof combinations;

export type { Combination } from "./combination.ts";
