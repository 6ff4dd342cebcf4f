/** @file Relations between samples: Tung and Mori, "Similarity-preserving knowledge distillation" (2019), arXiv:1907.09682. */

import type { Value } from "../../ir/index.ts";
import { checkOptions } from "../../options.ts";
import { member, number } from "../../settings/index.ts";
import type { StepBuilder } from "../../train/index.ts";
import { type DistillationLoss, type PairOptions, pairLoss, pairOptionsNames } from "./distillation-loss.ts";

/**
 * mean (cos(t_i, t_j) − cos(s_i, s_j))² over all pairs of samples of a batch: which inputs a layer holds to be alike.
 * Nothing but the number of samples has to agree.
 */
export function relations(options: PairOptions): DistillationLoss {
  return pairLoss("relations", checkOptions(options, pairOptionsNames), {
    build(g, teacher, student) {
      const gap = g.sub(cosines(g, teacher), cosines(g, student));
      return g.mean(g.mul(gap, gap));
    },
  });
}

member(relations, { pairs: "given", weight: number() });

/** [N, N]. */
function cosines(g: StepBuilder, x: Value): Value {
  const flat = g.op("Flatten", [x], { axis: 1 });
  const unit = g.div(flat, g.sqrt(g.add(g.sum(g.mul(flat, flat), [1], true), 1e-12)));
  return g.matmul(unit, g.transpose(unit, [1, 0]));
}
