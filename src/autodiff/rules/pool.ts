/** @file Gradients of pooling: each window's cotangent goes back to the elements that it came from. */
import { nth } from "../../checked.ts";
import { intOf, intsOf, type Node, stringOf, tensorType, type Value } from "../../ir/index.ts";
import { poolGeometry } from "../conv/geometry.ts";
import { openCounts, openSpread } from "../conv/open-windows.ts";
import type { GradientBuilder } from "../gradient-builder.ts";
import { maxPoolForm } from "../pool/choose.ts";
import { inverseCounts, spreadWindows } from "../pool/window-sum.ts";
import { type GradientEntry, type GradientRule, refuse } from "../rule.ts";
import { sumAtPlaces } from "../scatter.ts";
import { byExtreme, byMean, type Reduction } from "./reduce.ts";

const maxPool: GradientRule = (g, node, [dy]) => {
  const [x] = node.inputs;
  const [y] = node.outputs;
  if (!x || !y || !dy) return [];
  const geometry = poolGeometry(g, node, x, y);
  if (!geometry) return [sumAtPlaces(g, x, placesOfMaxima(g, node, x, y), dy)];
  return [maxPoolForm(g.forms.pool, geometry, node).build(g, { node, x, y, dy }, geometry)];
};

/** Counted row by row: a node that counts by columns is asked a second time. */
function placesOfMaxima(g: GradientBuilder, node: Node, x: Value, y: Value): Value {
  if (intOf(node, "storage_order", 0) === 0) return g.output(node, 1, tensorType("int64", g.dims(y)));
  const lists = ["kernel_shape", "strides", "dilations", "pads"].flatMap((name) => {
    const list = intsOf(node, name);
    return list ? [[name, list]] : [];
  });
  const how = { auto_pad: stringOf(node, "auto_pad", "NOTSET"), ceil_mode: intOf(node, "ceil_mode", 0) };
  return g.ops("MaxPool", [x], 2, { ...Object.fromEntries(lists), ...how })[1];
}

const averagePool: GradientRule = (g, node, [dy]) => {
  const [x] = node.inputs;
  const [y] = node.outputs;
  if (!x || !y || !dy) return [];
  const geometry = poolGeometry(g, node, x, y);
  if (!geometry) return [openSpread(g, node, x, g.div(dy, openCounts(g, node, x, dy)))];
  const shares = inverseCounts(g, dy, geometry, intOf(node, "count_include_pad", 0) === 1);
  return [spreadWindows(g, g.mul(dy, shares), geometry)];
};

/** y = (Σ |x|ᵖ)^(1/p): dx = sign(x)·|x|^(p−1) · spread(dy·y^(1−p)), zero for windows of zeros. */
const lpPool: GradientRule = (g, node, [dy]) => {
  const [x] = node.inputs;
  const [y] = node.outputs;
  if (!x || !y || !dy) return [];
  const p = intOf(node, "p", 2);
  const geometry = poolGeometry(g, node, x, y);
  const share = overPower(g, dy, y, p);
  return [g.mul(slopeOfPower(g, x, p), geometry ? spreadWindows(g, share, geometry) : openSpread(g, node, x, share))];
};

/** sign(x)·|x|^(p−1). */
function slopeOfPower(g: GradientBuilder, x: Value, p: number): Value {
  if (p === 1) return g.sign(x);
  if (p === 2) return x;
  return g.mul(g.sign(x), g.pow(g.abs(x), g.number(p - 1, x)));
}

/** dy·y^(1−p), zero where y is. */
function overPower(g: GradientBuilder, dy: Value, y: Value, p: number): Value {
  if (p === 1) return dy;
  const zero = g.number(0, y);
  const nonzero = g.greater(y, zero);
  const safe = g.where(nonzero, y, 1);
  const power = p === 2 ? safe : g.pow(safe, g.number(p - 1, y));
  return g.where(nonzero, g.div(dy, power), zero);
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

/** The places are flat positions, so the cotangent is gathered there. */
const maxUnpool: GradientRule = (g, node, [dy]) => {
  const [x, places, size] = node.inputs;
  if (!x || !places || !dy) return [];
  const flat = (value: Value): Value => g.reshape(value, [-1]);
  const own = size ? withinOwnLengths(g, node, x, dy) : dy;
  return [g.reshapeLike(g.op("GatherElements", [flat(own), flat(places)], { axis: 0 }), x)];
};

/** The part of dy in the dims that the positions count in, which an output_shape may exceed. */
function withinOwnLengths(g: GradientBuilder, node: Node, x: Value, dy: Value): Value {
  const kernel = intsOf(node, "kernel_shape") ?? [];
  const strides = intsOf(node, "strides") ?? kernel.map(() => 1);
  const pads = intsOf(node, "pads") ?? kernel.flatMap(() => [0, 0]);
  const more = kernel.map((k, i) => k - nth(pads, i) - nth(pads, i + kernel.length));
  const last = g.mul(g.sub(g.lengths(x, 2), g.ints([1])), g.ints(strides));
  const axes = kernel.map((_, i) => i + 2);
  return g.op("Slice", [dy, g.ints(kernel.map(() => 0)), g.add(last, g.ints(more)), g.ints(axes)]);
}

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
