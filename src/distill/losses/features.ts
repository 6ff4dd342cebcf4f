/** @file Features: Romero et al., "FitNets: hints for thin deep nets" (2014), arXiv:1412.6550. */
import { checkOptions } from "../../options.ts";
import { member, number } from "../../settings/index.ts";
import { meanSquaredError } from "../../train/index.ts";
import { type DistillationLoss, type PairOptions, pairLoss, pairOptionsNames } from "./distillation-loss.ts";

/**
 * mean (t − s)² / mean t² over all elements: the error relative to the teacher's energy, so that layers of different
 * size weigh alike. Where the widths differ, s is W·s with a learned W.
 */
export function features(options: PairOptions): DistillationLoss {
  return pairLoss("features", checkOptions(options, pairOptionsNames), {
    projects: true,
    build(g, teacher, student) {
      const energy = g.mean(g.mul(teacher, teacher));
      return g.div(meanSquaredError().build(g, student, teacher), g.add(energy, 1e-12));
    },
  });
}

member(features, { pairs: "given", weight: number() });
