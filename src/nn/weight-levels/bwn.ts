/** @file Binary-Weight-Networks: Rastegari et al. (2016), arXiv:1603.05279, section 3.1; so are the weights of an XNOR-Net. */
import { detached, gated, plainSign, straightThrough } from "../straight-through.ts";
import { countAlong } from "./count-along.ts";
import type { WeightLevels } from "./weight-levels.ts";

/**
 * −α and +α with α = mean|W| of the n weights of an output, which is nearest to them. The gradient is the paper's,
 * dW = dW̃·(1/n + α·[|W| ≤ 1]).
 */
export function bwn(): WeightLevels {
  return (n, weight, inputs) => {
    const scale = n.mean(n.abs(weight), inputs, true);
    const slope = n.mul(gated(n, weight), detached(n, scale));
    const soft = n.add(slope, n.mul(weight, 1 / countAlong(weight, inputs)));
    return straightThrough(n, n.mul(plainSign(n, weight), scale), soft);
  };
}
