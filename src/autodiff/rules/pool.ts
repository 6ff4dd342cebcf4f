/** @file Gradients of pooling: each window's cotangent goes back to the elements that it came from. */
import { UnsupportedError } from "../../errors.ts";
import { describeNode, intOf, type Node, type Value } from "../../ir/index.ts";
import { poolGeometry } from "../conv/geometry.ts";
import type { GradientBuilder } from "../gradient-builder.ts";
import { maxPoolForm } from "../pool/choose.ts";
import { inverseCounts, spreadWindows } from "../pool/window-sum.ts";
import { type GradientEntry, type GradientRule, refuse } from "../rule.ts";
import { byExtreme, byMean, type Reduction } from "./reduce.ts";

const maxPool: GradientRule = (g, node, [dy]) => {
  const [x] = node.inputs;
  const [y] = node.outputs;
  if (!x || !y || !dy) return [];
  const geometry = poolGeometry(g, node, x, y);
  return [maxPoolForm(g.forms.pool, geometry, node).build(g, { node, x, y, dy }, geometry)];
};

const averagePool: GradientRule = (g, node, [dy]) => {
  const [x] = node.inputs;
  const [y] = node.outputs;
  if (!x || !y || !dy) return [];
  const geometry = poolGeometry(g, node, x, y);
  const shares = inverseCounts(g, dy, geometry, intOf(node, "count_include_pad", 0) === 1);
  return [spreadWindows(g, g.mul(dy, shares), geometry)];
};

/** y = (Σ |x|ᵖ)^(1/p): dx = sign(x)·|x|^(p−1) · spread(dy·y^(1−p)), zero for windows of zeros. */
const lpPool: GradientRule = (g, node, [dy]) => {
  const [x] = node.inputs;
  const [y] = node.outputs;
  if (!x || !y || !dy) return [];
  const p = intOf(node, "p", 2);
  return [g.mul(slopeOfPower(g, x, p), spreadWindows(g, overPower(g, dy, y, p), poolGeometry(g, node, x, y)))];
};

/** sign(x)·|x|^(p−1). */
function slopeOfPower(g: GradientBuilder, x: Value, p: number): Value {
  if (p === 1) return g.sign(x);
  if (p === 2) return x;
  return g.mul(g.sign(x), g.op("Pow", [g.op("Abs", [x]), g.number(x, p - 1)]));
}

/** dy·y^(1−p), zero where y is. */
function overPower(g: GradientBuilder, dy: Value, y: Value, p: number): Value {
  if (p === 1) return dy;
  const zero = g.number(y, 0);
  const nonzero = g.op("Greater", [y, zero]);
  const safe = g.op("Where", [nonzero, y, g.number(y, 1)]);
  const power = p === 2 ? safe : g.op("Pow", [safe, g.number(y, p - 1)]);
  return g.op("Where", [nonzero, g.div(dy, power), zero]);
}

/** A reduction over all spatial axes, which are kept as 1. */
function overSpace(gradient: (parts: Reduction, node: Node) => Value): GradientRule {
  return (g, node, [dy]) => {
    const [x] = node.inputs;
    const [y] = node.outputs;
    if (!x || !y || !dy) return [];
    const axes = Array.from({ length: g.rank(x) - 2 }, (_, i) => i + 2);
    return [gradient({ g, x, y, dy, axes }, node)];
  };
}

/** The places are flat positions in the output, so its cotangent is gathered there. */
const maxUnpool: GradientRule = (g, node, [dy]) => {
  const [x, places, size] = node.inputs;
  if (!x || !places || !dy) return [];
  if (size) {
    throw new UnsupportedError("MaxUnpool with an output_shape has no gradient: its positions mean another shape", {
      where: describeNode(node),
    });
  }
  const flat = (value: Value): Value => g.reshape(value, [-1]);
  return [g.reshapeLike(g.op("GatherElements", [flat(dy), flat(places)], { axis: 0 }), x)];
};

export const pools = {
  MaxPool: maxPool,
  AveragePool: averagePool,
  LpPool: lpPool,
  GlobalMaxPool: overSpace(byExtreme),
  GlobalAveragePool: overSpace(byMean),
  GlobalLpPool: overSpace(({ g, x, y, dy }, node) => {
    const p = intOf(node, "p", 2);
    return g.mul(slopeOfPower(g, x, p), overPower(g, dy, y, p));
  }),
  MaxUnpool: maxUnpool,
  RoiAlign: refuse("its sampling positions come from boxes; use GridSample"),
  MaxRoiPool: refuse("its windows come from boxes"),
  "com.microsoft::NhwcMaxPool": refuse("it pools integers"),
} satisfies Record<string, GradientEntry>;
