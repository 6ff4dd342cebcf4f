/** @file Distances between samples: Park et al., "Relational knowledge distillation" (2019), arXiv:1904.05068. */

import type { Value } from "../../ir/index.ts";
import { checkOptions } from "../../options.ts";
import { member, number } from "../../settings/index.ts";
import { huber, type StepBuilder } from "../../train/index.ts";
import { type DistillationLoss, type PairOptions, pairLoss, pairOptionsNames } from "./distillation-loss.ts";

/**
 * Huber's loss (δ = 1), mean over all pairs of samples, between d_ij / mean d of the teacher and of the student, where d is the
 * Euclidean distance of a layer's values and the mean is over different samples. Nothing but the number of samples has to agree. (RKD-D)
 */
export function distances(options: PairOptions): DistillationLoss {
  return pairLoss("distances", checkOptions(options, pairOptionsNames), {
    build: (g, teacher, student) => huber().build(g, scaledDistances(g, student), scaledDistances(g, teacher)),
  });
}

member(distances, { pairs: "given", weight: number() });

/** [N, N], of mean 1 where it is not 0. */
function scaledDistances(g: StepBuilder, x: Value): Value {
  const flat = g.op("Flatten", [x], { axis: 1 });
  const products = g.matmul(flat, g.transpose(flat, [1, 0]));
  const squares = g.sum(g.mul(flat, flat), [1], true);
  const sums = g.add(squares, g.transpose(squares, [1, 0]));
  const gaps = g.max(g.sub(sums, g.mul(products, 2)), 1e-12);
  const others = g.sub(1, identityLike(g, gaps));
  const d = g.mul(g.sqrt(gaps), others);
  return g.div(d, g.add(g.div(g.sum(d), g.sum(others)), 1e-12));
}

function identityLike(g: StepBuilder, square: Value): Value {
  return g.op("EyeLike", [square]);
}
