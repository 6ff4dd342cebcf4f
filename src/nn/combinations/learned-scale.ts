/** @file One identity path and a learned scale per branch and feature, after LayerScale: Touvron et al. (2021), arXiv:2103.17239. */
import { full } from "../initialisers.ts";
import { dimsOf, lengthOf } from "../network.ts";
import { changes } from "./changes.ts";
import type { Combination } from "./combination.ts";

/**
 * x + Σ sⱼ ⊙ (yⱼ − x) with sⱼ = 1/√n at the start, so that the variance u + v is that of one branch whatever n is.
 * Features are the channels of [batch, channels, height, width], otherwise the last axis.
 */
export const learnedScale: Combination = (n, x, outputs) => {
  const start = full(1 / Math.sqrt(outputs.length));
  const dims = dimsOf(x).length === 4 ? [lengthOf(x, 1), 1, 1] : [lengthOf(x, -1)];
  const scaled = changes(n, x, outputs).map((change, j) => {
    const branch = n.scope(`branch${j}`);
    return branch.mul(change, branch.parameter("scale", dims, start));
  });
  return n.op("Sum", [x, ...scaled]);
};
