/** @file Gradients of what moves elements: each goes back the way it came, and copies are summed. */
import { UnsupportedError } from "../../errors.ts";
import { describeNode, intOf, intsOf, maxOf, type Node, numbersOf, stringOf, type Value } from "../../ir/index.ts";
import type { GradientBuilder } from "../gradient-builder.ts";
import { type GradientEntry, type GradientRule, refuse, stop } from "../rule.ts";

/** dx has the dims of x and the order of dy. */
const reshape: GradientRule = (g, { inputs: [x] }, [dy]) => (x && dy ? [g.reshapeLike(dy, x)] : []);

const transpose: GradientRule = (g, node, [dy]) => {
  const [x] = node.inputs;
  if (!x || !dy) return [];
  const permutation = intsOf(node, "perm") ?? [...Array(g.rank(x)).keys()].reverse();
  return [g.transpose(dy, inverse(permutation))];
};

function inverse(permutation: readonly number[]): number[] {
  const result = new Array<number>(permutation.length);
  permutation.forEach((from, to) => {
    result[from] = to;
  });
  return result;
}

const expand: GradientRule = (g, { inputs: [x] }, [dy]) => (x && dy ? [g.sumTo(dy, x)] : []);

/** Repeats become an axis of their own, which is summed. */
const tile: GradientRule = (g, { inputs: [x, repeats] }, [dy]) => {
  if (!x || !dy || !repeats) return [];
  const dims = g.dims(x);
  const counts = g.op("Unsqueeze", [repeats, g.ints([1])]);
  const pairs = g.op("Concat", [counts, g.op("Unsqueeze", [g.shape(x), g.ints([1])])], { axis: 1 });
  const split = g.op("Reshape", [dy, g.op("Reshape", [pairs, g.ints([-1])])]);
  return [
    g.reshapeLike(
      g.reduceSum(
        split,
        dims.map((_, axis) => 2 * axis),
      ),
      x,
    ),
  ];
};

const concat: GradientRule = (g, node, [dy], needs) => {
  if (!dy) return [];
  const parts = node.inputs.filter((x): x is Value => x !== undefined);
  const axis = axisOf(g, node, dy, 1);
  const lengths = parts.map((x) => g.dims(x)[axis]!);
  const sizes = lengths.every((dim) => typeof dim === "number")
    ? g.ints(lengths as number[])
    : g.op(
        "Concat",
        parts.map((x) => g.op("Shape", [x], { start: axis, end: axis + 1 })),
        { axis: 0 },
      );
  const pieces = parts.length === 1 ? [dy] : g.ops("Split", [dy, sizes], parts.length, { axis });
  return node.inputs.map((_, i) => (needs[i] ? pieces[i] : undefined));
};

/** Outputs that nothing reads have no cotangent; zeros stand in for them. */
const split: GradientRule = (g, node, dy) => {
  const [x] = node.inputs;
  if (!x) return [];
  const parts = node.outputs.map((y, i) => dy[i] ?? (y && g.zerosLike(y)));
  return [g.op("Concat", parts, { axis: axisOf(g, node, x, 0) })];
};

function axisOf(g: GradientBuilder, node: Node, x: Value, fallback: number): number {
  const axis = intOf(node, "axis", fallback);
  return axis < 0 ? axis + g.rank(x) : axis;
}

/**
 * Along each axis the slice keeps elements start, start + step, …: with step 1 the rest is padded with zeros, otherwise dy is
 * scattered to its unique positions.
 */
const slice: GradientRule = (g, node, [dy]) => {
  const [x, starts, ends, axes, steps] = node.inputs;
  if (!x || !dy) return [];
  const listed = axes ? constantInts(g, node, axes) : undefined;
  const begin = constantInts(g, node, starts);
  const end = constantInts(g, node, ends);
  const step = steps ? constantInts(g, node, steps) : begin.map(() => 1);
  const rank = g.rank(x);
  const cuts = begin.map((_, i) => {
    const axis = listed?.[i] ?? i;
    return { axis: axis < 0 ? axis + rank : axis, start: begin[i]!, end: end[i]!, step: step[i]! };
  });
  return [cuts.every((cut) => cut.step === 1) ? padBack(g, node, x, dy, cuts) : scatterBack(g, node, x, dy, cuts)];
};

interface Cut {
  readonly axis: number;
  readonly start: number;
  readonly end: number;
  readonly step: number;
}

function constantInts(g: GradientBuilder, node: Node, value: Value | undefined): number[] {
  const constant = g.constant(value);
  if (constant) return [...numbersOf(constant)];
  throw new UnsupportedError(`${node.opType} has a gradient only where its positions are constants`, {
    got: `the computed value "${value?.name}"`,
    where: describeNode(node),
  });
}

function lengthOf(g: GradientBuilder, node: Node, x: Value, axis: number): number {
  const dim = g.dims(x)[axis];
  if (typeof dim === "number") return dim;
  throw new UnsupportedError(`${node.opType} along a symbolic axis has no gradient`, {
    got: `[${g.dims(x).join(", ")}], axis ${axis}`,
    where: describeNode(node),
    hint: "Fix the dims of the model's inputs.",
  });
}

function clamp(position: number, length: number): number {
  return Math.min(length, Math.max(0, position < 0 ? position + length : position));
}

function padBack(g: GradientBuilder, node: Node, x: Value, dy: Value, cuts: readonly Cut[]): Value {
  const rank = g.rank(x);
  const pads = new Array<number>(2 * rank).fill(0);
  for (const { axis, start, end } of cuts) {
    const length = lengthOf(g, node, x, axis);
    const first = clamp(start, length);
    pads[axis] = first;
    pads[rank + axis] = length - Math.max(first, clamp(end, length));
  }
  return g.op("Pad", [dy, g.ints(pads)]);
}

/** One axis at a time, last first: rows of the axis go to their own positions, which never coincide. */
function scatterBack(g: GradientBuilder, node: Node, x: Value, dy: Value, cuts: readonly Cut[]): Value {
  let result = dy;
  const dims = [...g.dims(dy)];
  for (const { axis, start, step } of [...cuts].reverse()) {
    const length = lengthOf(g, node, x, axis);
    const count = Number(dims[axis]);
    const first = step > 0 ? clamp(start, length) : Math.min(length - 1, start < 0 ? start + length : start);
    const places = Array.from({ length: count }, (_, i) => first + i * step);
    const position = new Map(places.map((place, i) => [place, i]));
    const source = Array.from({ length }, (_, i) => position.get(i) ?? count);
    const pads = dims.flatMap(() => 0).concat(dims.map((_, k) => (k === axis ? 1 : 0)));
    result = g.op("Gather", [g.op("Pad", [result, g.ints(pads)]), g.ints(source)], { axis });
    dims[axis] = length;
  }
  return result;
}

/** Constant padding is cut off again. Other modes copy border elements, which are summed by matrices of 0 and 1. */
const pad: GradientRule = (g, node, [dy]) => {
  const [x, pads, , axes] = node.inputs;
  if (!x || !dy) return [];
  const rank = g.rank(x);
  const listed = axes
    ? constantInts(g, node, axes).map((axis) => (axis < 0 ? axis + rank : axis))
    : [...Array(rank).keys()];
  const amounts = constantInts(g, node, pads);
  const mode = stringOf(node, "mode", "constant");
  const padded = listed.map((axis, i) => ({ axis, before: amounts[i]!, after: amounts[listed.length + i]! }));
  if (mode === "constant") return [unpad(g, dy, rank, padded)];
  let result = dy;
  for (const { axis, before, after } of padded) {
    if (before === 0 && after === 0) continue;
    result = foldBack(g, result, axis, sources(mode, before, lengthOf(g, node, x, axis), after));
  }
  return [result];
};

function unpad(
  g: GradientBuilder,
  dy: Value,
  rank: number,
  padded: readonly { axis: number; before: number; after: number }[],
): Value {
  const negative = new Array<number>(2 * rank).fill(0);
  for (const { axis, before, after } of padded) {
    negative[axis] = -before;
    negative[rank + axis] = -after;
  }
  return negative.every((amount) => amount === 0) ? dy : g.op("Pad", [dy, g.ints(negative)]);
}

/** For each position of the padded axis, the position that it copies. */
function sources(mode: string, before: number, length: number, after: number): number[] {
  return Array.from({ length: before + length + after }, (_, i) => {
    const position = i - before;
    if (mode === "edge") return Math.min(length - 1, Math.max(0, position));
    if (mode === "wrap") return ((position % length) + length) % length;
    const period = Math.max(1, 2 * (length - 1));
    const folded = ((position % period) + period) % period;
    return folded < length ? folded : period - folded;
  });
}

/** Sums the elements of dy along `axis` into the positions that they were copied from. */
function foldBack(g: GradientBuilder, dy: Value, axis: number, from: readonly number[]): Value {
  const length = maxOf(from) + 1;
  const matrix = new Float64Array(from.length * length);
  from.forEach((position, i) => {
    matrix[i * length + position] = 1;
  });
  const rank = g.rank(dy);
  const last = [...Array(rank).keys()].filter((k) => k !== axis).concat(axis);
  const moved = g.transpose(dy, last);
  const folded = g.op("MatMul", [moved, g.matrix(dy, [from.length, length], matrix)]);
  return g.transpose(folded, inverse(last));
}

const depthToSpace: GradientRule = (g, node, [dy]) => {
  const [x] = node.inputs;
  if (!x || !dy) return [];
  const block = intOf(node, "blocksize", 1);
  if (stringOf(node, "mode", "DCR") === "DCR") return [g.op("SpaceToDepth", [dy], { blocksize: block })];
  const [n, c, h, w] = g.dims(x);
  const channels = typeof c === "number" ? c / (block * block) : -1;
  const open = g.op("Reshape", [dy, g.shapeFrom([n!, channels, h!, block, w!, block], x)]);
  return [g.reshapeLike(g.transpose(open, [0, 1, 3, 5, 2, 4]), x)];
};

const spaceToDepth: GradientRule = (g, node, [dy]) =>
  dy ? [g.op("DepthToSpace", [dy], { blocksize: intOf(node, "blocksize", 1), mode: "DCR" })] : [];

const trilu: GradientRule = (g, node, [dy]) => {
  const [, k] = node.inputs;
  return dy ? [g.op("Trilu", [dy, k], { upper: intOf(node, "upper", 1) })] : [];
};

const reverseSequence: GradientRule = (g, node, [dy]) =>
  dy
    ? [
        g.op("ReverseSequence", [dy, node.inputs[1]], {
          batch_axis: intOf(node, "batch_axis", 1),
          time_axis: intOf(node, "time_axis", 0),
        }),
      ]
    : [];

export const movements = {
  Reshape: reshape,
  Flatten: reshape,
  Squeeze: reshape,
  Unsqueeze: reshape,
  Transpose: transpose,
  Expand: expand,
  Tile: tile,
  Concat: concat,
  Split: split,
  Slice: slice,
  Pad: pad,
  DepthToSpace: depthToSpace,
  SpaceToDepth: spaceToDepth,
  Trilu: trilu,
  "com.microsoft::Trilu": trilu,
  ReverseSequence: reverseSequence,
  CenterCropPad: refuse("its positions depend on a computed shape"),
  Shape: stop,
  Size: stop,
} satisfies Record<string, GradientEntry>;
