/** @file Hints: Romero et al., "FitNets: hints for thin deep nets" (2014), arXiv:1412.6550; hidden states of TinyBERT, arXiv:1909.10351. */
import { checkOptions, type OptionNames } from "../../options.ts";
import { meanSquaredError } from "../../train/index.ts";
import { checkLoss, type DistillationLoss, type PairOptions } from "./distillation-loss.ts";

const pairOptionsNames: OptionNames<PairOptions> = { pairs: true, weight: true };

/**
 * mean (t − s)² over all elements, as published; `features` is the same relative to the teacher's energy. Where the widths differ, s is W·s with a
 * learned W.
 */
export function hints(options: PairOptions): DistillationLoss {
  const { pairs, weight = 1 } = checkOptions(options, pairOptionsNames);
  checkLoss("hints", { pairs, weight });
  return {
    name: "hints",
    weight,
    pairs,
    projects: true,
    build: (g, teacher, student) => meanSquaredError().build(g, student, teacher),
  };
}
