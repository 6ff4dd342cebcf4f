/** @file Hints: Romero et al., "FitNets: hints for thin deep nets" (2014), arXiv:1412.6550; hidden states of TinyBERT, arXiv:1909.10351. */
import { checkOptions } from "../../options.ts";
import { member, number } from "../../settings/index.ts";
import { meanSquaredError } from "../../train/index.ts";
import { type DistillationLoss, type PairOptions, pairLoss, pairOptionsNames } from "./distillation-loss.ts";

/**
 * mean (t − s)² over all elements, as published; `features` is the same relative to the teacher's energy. Where the widths differ, s is W·s with a
 * learned W.
 */
export function hints(options: PairOptions): DistillationLoss {
  return pairLoss("hints", checkOptions(options, pairOptionsNames), {
    projects: true,
    build: (g, teacher, student) => meanSquaredError().build(g, student, teacher),
  });
}

member(hints, { pairs: "given", weight: number() });
