/** @file Features: Romero et al., "FitNets: hints for thin deep nets" (2014), arXiv:1412.6550. */
import { checkOptions, type OptionNames } from "../../options.ts";
import { meanSquaredError } from "../../train/index.ts";
import { checkLoss, type DistillationLoss, type PairOptions } from "./distillation-loss.ts";

const pairOptionsNames: OptionNames<PairOptions> = { pairs: true, weight: true };

/**
 * mean (t − s)² / mean t² over all elements: the error relative to the teacher's energy, so that layers of different
 * size weigh alike. Where the widths differ, s is W·s with a learned W.
 */
export function features(options: PairOptions): DistillationLoss {
  const { pairs, weight = 1 } = checkOptions(options, pairOptionsNames);
  checkLoss("features", { pairs, weight });
  return {
    name: "features",
    weight,
    pairs,
    projects: true,
    build(g, teacher, student) {
      const energy = g.mean(g.mul(teacher, teacher));
      return g.div(meanSquaredError().build(g, student, teacher), g.add(energy, 1e-12));
    },
  };
}
