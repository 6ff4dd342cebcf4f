/** @file Residual connections, also ones that training leaves out at random. */
import { scalar, type Value } from "../ir/index.ts";
import { dimsOf, type Layers } from "./network.ts";

/** x + branch(x). */
export function residual(n: Layers, x: Value, branch: (x: Value) => Value): Value {
  return n.add(x, branch(x));
}

/**
 * x + branch(x), the branch left out per sample with probability `ratio` in training and scaled by 1/(1 − ratio) where
 * it stays: Huang et al., "Deep networks with stochastic depth" (2016), arXiv:1603.09382. Otherwise x + branch(x).
 */
export function stochasticDepth(n: Layers, x: Value, ratio: number, branch: (x: Value) => Value): Value {
  if (ratio === 0) return residual(n, x, branch);
  const rank = dimsOf(x).length;
  const batch = n.op("Shape", [x], { start: 0, end: 1 });
  const dims = rank > 1 ? n.concat([batch, n.ints(new Array<number>(rank - 1).fill(1))], 0) : batch;
  const one = { ...scalar("float32", 1), dims: [1] };
  const kept = n.op("Dropout", [n.op("ConstantOfShape", [dims], { value: one }), n.number(ratio)]);
  return n.add(x, n.mul(branch(x), kept));
}
