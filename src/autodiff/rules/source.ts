/** @file Operators that make values out of nothing or out of numbers that are not differentiated. */
import { type GradientEntry, type GradientRule, stop } from "../rule.ts";

/** yᵢ = start + i·delta. */
const range: GradientRule = (g, node, [dy]) => {
  const [start, , delta] = node.inputs;
  const [y] = node.outputs;
  if (!start || !delta || !y || !dy) return [];
  const steps = g.op("Round", [g.div(g.sub(y, start), delta)]);
  return [g.sum(dy, [0]), undefined, g.sum(g.mul(dy, steps), [0])];
};

export const sources = {
  Range: range,
  Constant: stop,
  ConstantOfShape: stop,
  EyeLike: stop,
  RandomNormal: stop,
  RandomUniform: stop,
  RandomNormalLike: stop,
  RandomUniformLike: stop,
  Multinomial: stop,
  Bernoulli: stop,
  BlackmanWindow: stop,
  HammingWindow: stop,
  HannWindow: stop,
  MelWeightMatrix: stop,
} satisfies Record<string, GradientEntry>;
