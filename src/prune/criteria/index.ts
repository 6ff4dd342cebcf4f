/** @file Criteria. One criterion is one file and one line in `criteria`; the law iterates over it. */
import { geometricMedian } from "./geometric-median.ts";
import { l1 } from "./l1.ts";
import { l2 } from "./l2.ts";
import { lamp } from "./lamp.ts";
import { normScale } from "./norm-scale.ts";
import { random } from "./random.ts";

export const criteria = {
  l1,
  l2,
  "geometric-median": geometricMedian,
  lamp,
  "norm-scale": normScale,
  random,
} as const;

export type CriterionName = keyof typeof criteria;
