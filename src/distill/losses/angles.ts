/** @file Angles between samples: Park et al., "Relational knowledge distillation" (2019), arXiv:1904.05068. */

import type { Value } from "../../ir/index.ts";
import { checkOptions } from "../../options.ts";
import { member, number } from "../../settings/index.ts";
import { huber, type StepBuilder } from "../../train/index.ts";
import { type DistillationLoss, type PairOptions, pairLoss, pairOptionsNames } from "./distillation-loss.ts";

/**
 * Huber's loss (δ = 1), mean over all triples of samples, between the cosines of the angles at j of the triangles i, j, k that a layer's values
 * make. N³ numbers for a batch of N. Nothing but the number of samples has to agree. (RKD-A)
 */
export function angles(options: PairOptions): DistillationLoss {
  return pairLoss("angles", checkOptions(options, pairOptionsNames), {
    build: (g, teacher, student) => huber().build(g, cosines(g, student), cosines(g, teacher)),
  });
}

member(angles, { pairs: "given", weight: number() });

/** [N, N, N]: at each sample the cosines between the directions to all others. */
function cosines(g: StepBuilder, x: Value): Value {
  const flat = g.op("Flatten", [x], { axis: 1 });
  const at = (axis: number) => g.unsqueeze(flat, [axis]);
  const directions = g.sub(at(0), at(1));
  const length = g.max(g.sqrt(g.add(g.sum(g.mul(directions, directions), [2], true), 1e-24)), 1e-12);
  const unit = g.div(directions, length);
  return g.matmul(unit, g.transpose(unit, [0, 2, 1]));
}
