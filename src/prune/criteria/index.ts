/** @file Criteria. One criterion is one file and one line in `criteria`; the law iterates over it. */
import { apoz } from "./apoz.ts";
import { fisher } from "./fisher.ts";
import { geometricMedian } from "./geometric-median.ts";
import { l1 } from "./l1.ts";
import { l2 } from "./l2.ts";
import { lamp } from "./lamp.ts";
import { normScale } from "./norm-scale.ts";
import { random } from "./random.ts";
import { taylor } from "./taylor.ts";
import { wanda } from "./wanda.ts";

export const criteria = {
  l1,
  l2,
  "geometric-median": geometricMedian,
  lamp,
  "norm-scale": normScale,
  taylor,
  fisher,
  apoz,
  wanda,
  random,
} as const;

export type CriterionName = keyof typeof criteria;
