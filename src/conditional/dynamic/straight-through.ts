/** @file Hard decisions that learn: noise in training, and gradients that pass a rounding. Bengio et al. (2013), arXiv:1308.3432. */
import type { Value } from "../../ir/index.ts";
import { inSteps, type Layers, uniformNoise } from "../../nn/index.ts";

/** What keeps a sum of a half and a number in [0, 1] away from where rounding turns. */
const SLACK = 2 ** -16;

/** Logistic noise in training, which is the difference of two Gumbel variables; 0 in inference. Its dims are those of `like`. */
export function logisticNoise(n: Layers, like: Value): Value {
  const noise = uniformNoise(n, like);
  const one = n.number(1);
  return n.log(n.div(n.add(one, noise), n.sub(one, noise)));
}

/** 0 or 1 of a share. Quantization in steps of 1 is rounding, and its gradient is that of the identity. */
export function rounded(n: Layers, x: Value): Value {
  return inSteps(n, x, 1, 0);
}

/**
 * `hard`, which is 0 and 1, with the gradient of `soft`: both sum to 1 along the last axis, and `hard` is 1 where `soft` is largest.
 * ½·hard + soft rounds to `hard`, since what is not the largest is at most ½.
 */
export function hardWithSlope(n: Layers, hard: Value, soft: Value): Value {
  const half = n.sub(n.mul(hard, 0.5), SLACK);
  return inSteps(n, n.add(soft, half), 1, 1);
}
