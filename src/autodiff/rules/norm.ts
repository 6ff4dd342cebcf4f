/** @file Gradients of normalisations. With x̂ = (x − μ)·s over n elements: dx = s·(d − mean(d) − x̂·mean(d·x̂)), d = dy·scale. */
import { atLeast } from "../../checked.ts";
import { UnsupportedError } from "../../errors.ts";
import { type Dims, float, floatOf, intOf, intsOf, type Node, numbersOf, type Value } from "../../ir/index.ts";
import type { GradientBuilder } from "../gradient-builder.ts";
import type { Cotangents, GradientEntry, GradientRule } from "../rule.ts";
import { countAlong } from "./reduce.ts";

interface Normalised {
  /** x̂. */
  readonly unit: Value;
  /** s = 1 / √(variance + ε). */
  readonly inverse: Value;
}

function normalise(g: GradientBuilder, x: Value, axes: readonly number[], epsilon: number, centred = true): Normalised {
  const moved = centred ? g.sub(x, g.mean(x, axes, true)) : x;
  const variance = g.mean(g.mul(moved, moved), axes, true);
  const inverse = g.op("Reciprocal", [g.sqrt(g.add(variance, g.number(epsilon, x)))]);
  return { unit: g.mul(moved, inverse), inverse };
}

/** The cotangent of x from that of x̂. */
function through(
  g: GradientBuilder,
  { unit, inverse }: Normalised,
  d: Value,
  axes: readonly number[],
  centred = true,
): Value {
  const along = g.mul(unit, g.mean(g.mul(d, unit), axes, true));
  const rest = centred ? g.sub(d, g.mean(d, axes, true)) : d;
  return g.mul(inverse, g.sub(rest, along));
}

function from(axis: number, rank: number): number[] {
  return Array.from({ length: rank - axis }, (_, i) => axis + i);
}

/** Normalisation over the last axes, with scale and bias of their dims. The mean and s may be outputs too. */
function overLast(centred: boolean): GradientRule {
  return (g, node, [dy, ...dStatistics], needs) => {
    const [x, scale, bias] = node.inputs;
    if (!x) return [];
    const rank = g.rank(x);
    const axis = intOf(node, "axis", -1);
    const axes = from(axis < 0 ? axis + rank : axis, rank);
    const parts = centred ? recorded(g, node, x, axes) : normalise(g, x, axes, floatOf(node, "epsilon", 1e-5), false);
    const ofStatistics = throughStatistics(g, x, parts, centred ? dStatistics : [undefined, dStatistics[0]], axes);
    const d = dy && (scale && !isOne(g, scale) ? g.mul(dy, scale) : dy);
    const ofOutput = needs[0] && d ? through(g, parts, d, axes, centred) : undefined;
    return [
      added(g, ofOutput, ofStatistics),
      dy && scale && needs[1] ? g.sumTo(g.mul(dy, parts.unit), scale) : undefined,
      dy && bias && needs[2] ? g.sumTo(dy, bias) : undefined,
    ];
  };
}

/** A scale that is there because the operator asks for one. */
function isOne(g: GradientBuilder, scale: Value): boolean {
  const tensor = g.constant(scale);
  return tensor !== undefined && numbersOf(tensor).every((x) => x === 1);
}

/** ∂μ/∂x = 1/n and ∂s/∂x = −s²·x̂/n. */
function throughStatistics(
  g: GradientBuilder,
  x: Value,
  { unit, inverse }: Normalised,
  [dMean, dInverse]: Cotangents,
  axes: readonly number[],
): Value | undefined {
  if (!dMean && !dInverse) return undefined;
  const ofInverse = dInverse && g.neg(g.mul(g.mul(unit, g.mul(inverse, inverse)), g.cast(dInverse, g.dtype(x))));
  const ofMean = dMean && g.cast(dMean, g.dtype(x));
  const sum = ofInverse && ofMean ? g.add(ofInverse, ofMean) : (ofInverse ?? g.expandLike(ofMean!, x));
  return g.div(sum, countAlong(g, x, axes));
}

/** LayerNormalization gives the mean and s itself, in the type that it computes them in. */
function recorded(g: GradientBuilder, node: Node, x: Value, axes: readonly number[]): Normalised {
  const dims = g.dims(x).map((dim, axis) => (axes.includes(axis) ? 1 : dim));
  const dtype = g.dtype(x) === "float64" ? "float64" : "float32";
  const statistic = (i: number): Value => g.cast(g.output(node, i, { kind: "tensor", dtype, dims }), g.dtype(x));
  const inverse = statistic(2);
  return { unit: g.mul(g.sub(x, statistic(1)), inverse), inverse };
}

/** A per-channel vector in the dims of an image: [C] → [C, 1, 1]. */
function perChannel(g: GradientBuilder, vector: Value, rank: number): Value {
  if (rank < 2) {
    throw new UnsupportedError("a normalisation per channel has a gradient only where there are channels", {
      expected: "an input of two axes or more",
      got: `${rank}`,
    });
  }
  return g.reshape(vector, [...g.dims(vector), ...new Array<number>(rank - 2).fill(1)]);
}

const instance: GradientRule = (g, node, [dy], needs) => {
  const [x, scale] = node.inputs;
  if (!x || !scale || !dy) return [];
  const rank = g.rank(x);
  const spatial = from(2, rank);
  const parts = normalise(g, x, spatial, floatOf(node, "epsilon", 1e-5));
  const overBatch = [0, ...spatial];
  return [
    needs[0] ? through(g, parts, g.mul(dy, perChannel(g, scale, rank)), spatial) : undefined,
    needs[1] ? g.sum(g.mul(dy, parts.unit), overBatch) : undefined,
    needs[2] ? g.sum(dy, overBatch) : undefined,
  ];
};

/** Groups of channels are one axis each: [N, C, …] → [N, groups, C/groups · …]. */
const group: GradientRule = (g, node, [dy], needs) => {
  const [x, scale] = node.inputs;
  if (!x || !scale || !dy) return [];
  const groups = intOf(node, "num_groups", 1);
  const [batch, ...rest] = atLeast(g.dims(x), 1);
  const length = rest.every((dim) => typeof dim === "number")
    ? rest.reduce<number>((n, dim) => n * Number(dim), 1) / groups
    : -1;
  const folded: Dims = [batch, groups, length];
  const fold = (value: Value): Value => g.op("Reshape", [value, g.shapeFrom(folded, x)]);
  const parts = normalise(g, fold(x), [2], floatOf(node, "epsilon", 1e-5));
  const rank = g.rank(x);
  const unit = g.reshapeLike(parts.unit, x);
  const overBatch = [0, ...from(2, rank)];
  const d = g.mul(dy, perChannel(g, scale, rank));
  return [
    needs[0] ? g.reshapeLike(through(g, parts, fold(d), [2]), x) : undefined,
    needs[1] ? g.sum(g.mul(dy, unit), overBatch) : undefined,
    needs[2] ? g.sum(dy, overBatch) : undefined,
  ];
};

const batch: GradientRule = (g, node, dy, needs) =>
  intOf(node, "training_mode", 0) === 1 ? overBatch(g, node, dy, needs) : withFrozen(g, node, dy, needs);

/** Frozen statistics: y = (x − μ)·s·scale + bias is affine in x. */
const withFrozen: GradientRule = (g, node, [dy], needs) => {
  const [x, scale, , mean, variance] = node.inputs;
  if (!x || !scale || !mean || !variance || !dy) return [];
  const rank = g.rank(x);
  const over = [0, ...from(2, rank)];
  const parts = frozen(g, x, mean, variance, floatOf(node, "epsilon", 1e-5));
  const d = g.mul(dy, perChannel(g, scale, rank));
  const along = (value: Value): Value => g.sum(value, over);
  const ofMean = (): Value => g.neg(along(g.mul(d, parts.inverse)));
  const ofVariance = (): Value =>
    g.scale(along(g.mul(g.mul(d, parts.unit), g.mul(parts.inverse, parts.inverse))), -0.5);
  return [
    needs[0] ? g.mul(d, parts.inverse) : undefined,
    needs[1] ? along(g.mul(dy, parts.unit)) : undefined,
    needs[2] ? along(dy) : undefined,
    needs[3] ? ofMean() : undefined,
    needs[4] ? ofVariance() : undefined,
  ];
};

/**
 * Statistics of the batch: dx = scale·s·(dy − mean(dy) − x̂·mean(dy·x̂)). The sums in it are the gradients of bias and scale;
 * what is left of x̂ is an affine map of x per channel, which the operator itself applies in one pass.
 */
const overBatch: GradientRule = (g, node, [dy, dMean, dVariance], needs) => {
  const [x, scale] = node.inputs;
  if (!x || !scale) return [];
  const rank = g.rank(x);
  const over = [0, ...from(2, rank)];
  const count = countAlong(g, x, over);
  const statistics = batchStatistics(g, node, x, over);
  const moved = g.sub(x, perChannel(g, statistics.mean, rank));
  const inverse = g.op("Reciprocal", [g.sqrt(g.add(statistics.variance, g.number(statistics.epsilon, x)))]);
  const dScale = dy && g.mul(g.sum(g.mul(dy, moved), over), inverse);
  const dBias = dy && g.sum(dy, over);
  const ofOutput = (): Value | undefined => {
    if (!dy || !dScale || !dBias) return undefined;
    const factor = g.mul(g.cast(scale, g.dtype(x)), inverse);
    const share = g.neg(g.div(factor, count));
    const rest = affine(g, x, statistics, g.mul(share, dScale), g.mul(share, dBias));
    return g.add(g.mul(dy, perChannel(g, factor, rank)), rest);
  };
  const ofStatistics = (): Value | undefined => {
    const rate = g.div(g.number(1 - floatOf(node, "momentum", 0.9), x), count);
    const ofVariance = dVariance && g.mul(moved, perChannel(g, g.mul(g.scale(dVariance, 2), rate), rank));
    const ofMean = dMean && perChannel(g, g.mul(dMean, rate), rank);
    return ofVariance && ofMean ? g.add(ofVariance, ofMean) : (ofVariance ?? (ofMean && g.expandLike(ofMean, x)));
  };
  return [
    needs[0] ? added(g, ofOutput(), ofStatistics()) : undefined,
    dScale,
    dBias,
    dMean && g.scale(dMean, floatOf(node, "momentum", 0.9)),
    dVariance && g.scale(dVariance, floatOf(node, "momentum", 0.9)),
  ];
};

interface Statistics {
  readonly mean: Value;
  /** Of the whole population, in the dims of the mean. */
  readonly variance: Value;
  readonly epsilon: number;
}

/** With a momentum of 0 the next running statistics are those of the batch. */
function batchStatistics(g: GradientBuilder, node: Node, x: Value, over: readonly number[]): Statistics {
  const epsilon = floatOf(node, "epsilon", 1e-5);
  const [, nextMean, nextVariance] = node.outputs;
  if (floatOf(node, "momentum", 0.9) === 0 && nextMean && nextVariance) {
    return { mean: g.cast(nextMean, g.dtype(x)), variance: g.cast(nextVariance, g.dtype(x)), epsilon };
  }
  const mean = g.mean(x, over);
  const moved = g.sub(x, perChannel(g, mean, g.rank(x)));
  return { mean, variance: g.mean(g.mul(moved, moved), over), epsilon };
}

/** slope·x̂ + offset, per channel. */
function affine(g: GradientBuilder, x: Value, { mean, variance, epsilon }: Statistics, slope: Value, offset: Value) {
  return g.op("BatchNormalization", [x, slope, offset, mean, variance], { epsilon: float(epsilon) });
}

function added(g: GradientBuilder, a: Value | undefined, b: Value | undefined): Value | undefined {
  return a && b ? g.add(a, b) : (a ?? b);
}

function frozen(g: GradientBuilder, x: Value, mean: Value, variance: Value, epsilon: number): Normalised {
  const rank = g.rank(x);
  const spread = g.sqrt(g.add(variance, g.number(epsilon, variance)));
  const inverse = perChannel(g, g.op("Reciprocal", [spread]), rank);
  return { inverse, unit: g.mul(g.sub(x, perChannel(g, mean, rank)), inverse) };
}

/** y = x / ‖x‖ₚ along one axis, p = 1 or 2; zero where the norm is zero. */
const lp: GradientRule = (g, node, [dy]) => {
  const [x] = node.inputs;
  const [y] = node.outputs;
  if (!x || !y || !dy) return [];
  const p = intOf(node, "p", 2);
  const axis = intOf(node, "axis", -1);
  const axes = [axis < 0 ? axis + g.rank(x) : axis];
  const norm = g.op(p === 1 ? "ReduceL1" : "ReduceL2", [x, g.ints(axes)], { keepdims: 1 });
  const along = g.sum(g.mul(dy, y), axes, true);
  const direction = p === 1 ? g.sign(x) : y;
  const isZero = g.equal(norm, g.number(0, x));
  const safe = g.where(isZero, g.number(1, x), norm);
  return [g.where(isZero, g.number(0, x), g.div(g.sub(dy, g.mul(direction, along)), safe))];
};

const meanVariance: GradientRule = (g, node, [dy]) => {
  const [x] = node.inputs;
  if (!x || !dy) return [];
  const axes = intsOf(node, "axes") ?? [0, 2, 3];
  return [through(g, normalise(g, x, axes, 1e-9), dy, axes)];
};

/**
 * y = x·b^(−β), b = k + α/n·Σ x² over a window of n channels. dx = dy·b^(−β) − 2αβ/n·x·(window sum of dy·y/b),
 * the window mirrored.
 */
const localResponse: GradientRule = (g, node, [dy]) => {
  const [x] = node.inputs;
  const [y] = node.outputs;
  if (!x || !y || !dy) return [];
  const size = intOf(node, "size", 1);
  const alpha = floatOf(node, "alpha", 1e-4);
  const beta = floatOf(node, "beta", 0.75);
  if (!(size >= 1 && size <= WINDOW)) {
    throw new UnsupportedError("LRN has a gradient only over a window of some channels", {
      expected: `a size from 1 to ${WINDOW}`,
      got: String(size),
    });
  }
  const before = Math.floor((size - 1) / 2);
  const after = size - 1 - before;
  const base = g.add(
    g.scale(window(g, g.mul(x, x), before, after), alpha / size),
    g.number(floatOf(node, "bias", 1), x),
  );
  const power = g.pow(base, g.number(-beta, x));
  const spread = window(g, g.div(g.mul(dy, y), base), after, before);
  return [g.sub(g.mul(dy, power), g.scale(g.mul(x, spread), (2 * alpha * beta) / size))];
};

/** The most channels of a window: each is an addition. */
const WINDOW = 1024;

/** Sum over `before` channels in front, the channel, and `after` behind. */
function window(g: GradientBuilder, x: Value, before: number, after: number): Value {
  const rank = g.rank(x);
  const channels = g.lengths(x, 1, 2);
  const pads = new Array<number>(2 * rank).fill(0);
  pads[1] = before;
  pads[rank + 1] = after;
  const padded = g.op("Pad", [x, g.ints(pads)]);
  const shifted = Array.from({ length: before + after + 1 }, (_, i) =>
    g.op("Slice", [padded, g.ints([i]), g.add(g.ints([i]), channels), g.ints([1])]),
  );
  return shifted.reduce((sum, part) => g.add(sum, part));
}

export const norms = {
  LayerNormalization: overLast(true),
  RMSNormalization: overLast(false),
  SimplifiedLayerNormalization: overLast(false),
  InstanceNormalization: instance,
  GroupNormalization: group,
  BatchNormalization: batch,
  LpNormalization: lp,
  MeanVarianceNormalization: meanVariance,
  LRN: localResponse,
} satisfies Record<string, GradientEntry>;
