/** @file Gradients of reductions and of what normalises along an axis. */
import { nth } from "../../checked.ts";
import { UnsupportedError } from "../../errors.ts";
import { describeNode, elementCount, intOf, intsOf, type Node, numbersOf, type Value } from "../../ir/index.ts";
import type { GradientBuilder } from "../gradient-builder.ts";
import { type GradientEntry, type GradientRule, refuse, stop } from "../rule.ts";

/** Axes that a Reduce node sums over, counted from the front. */
function reducedAxes(g: GradientBuilder, node: Node): readonly number[] {
  const [x, axes] = node.inputs;
  const rank = x ? g.rank(x) : 0;
  const constant = g.constant(axes);
  if (axes && !constant) {
    throw new UnsupportedError(`${node.opType} has a gradient only where its axes are constants`, {
      got: `the computed value "${axes.name}"`,
      where: describeNode(node),
    });
  }
  const listed = intsOf(node, "axes") ?? (constant ? [...numbersOf(constant)] : []);
  if (listed.length > 0) return listed.map((axis) => (axis < 0 ? axis + rank : axis));
  return intOf(node, "noop_with_empty_axes", 0) ? [] : [...Array(rank).keys()];
}

export interface Reduction {
  readonly g: GradientBuilder;
  readonly x: Value;
  /** Output and its cotangent with the reduced axes kept as 1. */
  readonly y: Value;
  readonly dy: Value;
  readonly axes: readonly number[];
}

function reduction(gradient: (parts: Reduction) => Value): GradientRule {
  return (g, node, [dy]) => {
    const [x] = node.inputs;
    const [y] = node.outputs;
    if (!x || !y || !dy) return [];
    if (!g.type(x).dims && g.type(y).dims?.length === 0) {
      const flat = g.reshape(x, [-1]);
      const [whole, share] = [g.reshape(y, [1]), g.reshape(dy, [1])];
      return [g.reshapeLike(gradient({ g, x: flat, y: whole, dy: share, axes: [0] }), x)];
    }
    const axes = reducedAxes(g, node);
    const kept = g.dims(x).map((dim, axis) => (axes.includes(axis) ? 1 : dim));
    return [gradient({ g, x, y: g.reshape(y, kept), dy: g.reshape(dy, kept), axes })];
  };
}

/** The product of the lengths of some axes, as a scalar of x's dtype. */
export function countAlong(g: GradientBuilder, x: Value, axes: readonly number[]): Value {
  const count = elementCount(axes.map((axis) => nth(g.dims(x), axis)));
  if (count !== undefined) return g.number(count, x);
  const lengths = g.op("Gather", [g.op("Shape", [x]), g.ints(axes)]);
  return g.cast(g.op("ReduceProd", [lengths], { keepdims: 0 }), g.dtype(x));
}

/** Every element that attains the extreme gets an equal share. */
export function byExtreme({ g, x, y, dy, axes }: Reduction): Value {
  const hits = g.mask(g.equal(x, y), x);
  return g.mul(hits, g.div(dy, g.sum(hits, axes, true)));
}

/** Zero where the norm is zero. */
function byNorm({ g, x, y, dy }: Reduction): Value {
  const zero = g.number(0, y);
  const nonzero = g.greater(y, zero);
  const safe = g.where(nonzero, y, 1);
  return g.mul(x, g.where(nonzero, g.div(dy, safe), zero));
}

/**
 * dy · (product of the others). Without a zero that is y / x; beside one zero only that element has a gradient, beside more
 * none has. y is 0 wherever there is a zero, so y / x needs no guard but a divisor of 1 there.
 */
function byProduct({ g, x, y, dy, axes }: Reduction): Value {
  const one = g.number(1, x);
  const isZero = g.equal(x, 0);
  const hole = g.mask(isZero, x);
  const filled = g.where(isZero, one, x);
  const others = g.op("ReduceProd", [filled, g.ints(axes)], { keepdims: 1 });
  const isOnly = g.mask(g.equal(g.sum(hole, axes, true), one), x);
  return g.mul(dy, g.add(g.div(y, filled), g.mul(hole, g.mul(isOnly, others))));
}

export function byMean({ g, x, dy, axes }: Reduction): Value {
  return g.expandLike(g.div(dy, countAlong(g, x, axes)), x);
}

function axisOf(g: GradientBuilder, node: Node, x: Value): number {
  const axis = intOf(node, "axis", -1);
  return axis < 0 ? axis + g.rank(x) : axis;
}

/** dx = (dy − Σ dy·y)·y. */
const softmax: GradientRule = (g, node, [dy]) => {
  const [y] = node.outputs;
  if (!y || !dy) return [];
  const weighted = g.sum(g.mul(dy, y), [axisOf(g, node, y)], true);
  return [g.mul(g.sub(dy, weighted), y)];
};

/** dx = dy − e^y·Σ dy. */
const logSoftmax: GradientRule = (g, node, [dy]) => {
  const [y] = node.outputs;
  if (!y || !dy) return [];
  return [g.sub(dy, g.mul(g.exp(y), g.sum(dy, [axisOf(g, node, y)], true)))];
};

/** The sum in the other direction. */
const cumSum: GradientRule = (g, node, [dy]) => {
  const axis = node.inputs[1];
  if (!axis || !dy) return [];
  const reverse = intOf(node, "reverse", 0) ? 0 : 1;
  return [g.op("CumSum", [dy, axis], { reverse, exclusive: intOf(node, "exclusive", 0) })];
};

export const reductions = {
  ReduceSum: reduction(({ g, x, dy }) => g.expandLike(dy, x)),
  ReduceMean: reduction(byMean),
  ReduceMax: reduction(byExtreme),
  ReduceMin: reduction(byExtreme),
  ReduceL1: reduction(({ g, x, dy }) => g.mul(g.sign(x), dy)),
  ReduceL2: reduction(byNorm),
  ReduceSumSquare: reduction(({ g, x, dy }) => g.scale(g.mul(x, dy), 2)),
  ReduceLogSum: reduction(({ g, x, y, dy }) => g.expandLike(g.div(dy, g.exp(y)), x)),
  ReduceLogSumExp: reduction(({ g, x, y, dy }) => g.mul(g.exp(g.sub(x, y)), dy)),
  ReduceProd: reduction(byProduct),
  Softmax: softmax,
  LogSoftmax: logSoftmax,
  CumSum: cumSum,
  CumProd: refuse("it needs the products without each element, which have no closed form beside zeros"),
  ArgMax: stop,
  ArgMin: stop,
  Hardmax: stop,
} satisfies Record<string, GradientEntry>;
