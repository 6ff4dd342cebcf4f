/** @file Gradients of what moves elements: each goes back the way it came, and copies are summed. */
import { atLeast, nth } from "../../checked.ts";
import { boundedSize, intOf, intsOf, maxOf, type Node, numbersOf, stringOf, type Value } from "../../ir/index.ts";
import type { GradientBuilder } from "../gradient-builder.ts";
import { type GradientEntry, type GradientRule, refuse, stop } from "../rule.ts";
import { positionsOf, sumAtPlaces } from "../scatter.ts";

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
  const counts = g.unsqueeze(repeats, [1]);
  const pairs = g.concat([counts, g.unsqueeze(g.shape(x), [1])], 1);
  const split = g.op("Reshape", [dy, g.op("Reshape", [pairs, g.ints([-1])])], { allowzero: true });
  return [
    g.reshapeLike(
      g.sum(
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
  const lengths = parts.map((x) => nth(g.dims(x), axis));
  const sizes = lengths.every((dim) => typeof dim === "number")
    ? g.ints(lengths as number[])
    : g.concat(
        parts.map((x) => g.op("Shape", [x], { start: axis, end: axis + 1 })),
        0,
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
 * scattered to its unique positions. Where only a run knows the positions, they are cut out of the positions of x alike.
 */
const slice: GradientRule = (g, node, [dy]) => {
  const [x, starts, ends, axes, steps] = node.inputs;
  if (!x || !dy) return [];
  const [begin, end, listed, step] = [starts, ends, axes, steps].map((value) => constantInts(g, value));
  const isFixed = begin && end && (listed || !axes) && (step || !steps);
  if (!isFixed) return [sumAtPlaces(g, x, g.op("Slice", [positionsOf(g, x), starts, ends, axes, steps]), dy)];
  const rank = g.rank(x);
  const cuts = begin.map((_, i) => {
    const axis = listed?.[i] ?? i;
    return { axis: axis < 0 ? axis + rank : axis, start: nth(begin, i), end: nth(end, i), step: step?.[i] ?? 1 };
  });
  if (cuts.every((cut) => cut.step === 1)) return [padBack(g, x, dy, cuts)];
  if (cuts.every(({ axis }) => typeof g.dims(x)[axis] === "number")) return [scatterBack(g, x, dy, cuts)];
  return [sumAtPlaces(g, x, g.op("Slice", [positionsOf(g, x), starts, ends, axes, steps]), dy)];
};

interface Cut {
  readonly axis: number;
  readonly start: number;
  readonly end: number;
  readonly step: number;
}

function constantInts(g: GradientBuilder, value: Value | undefined): number[] | undefined {
  const constant = g.constant(value);
  return constant && [...numbersOf(constant)];
}

function clamp(position: number, length: number): number {
  return Math.min(length, Math.max(0, position < 0 ? position + length : position));
}

function padBack(g: GradientBuilder, x: Value, dy: Value, cuts: readonly Cut[]): Value {
  const rank = g.rank(x);
  const pads = new Array<Value>(2 * rank).fill(g.ints([0]));
  for (const cut of cuts) [pads[cut.axis], pads[rank + cut.axis]] = around(g, x, dy, cut);
  const fixed = pads.map((value) => constantInts(g, value)?.[0]);
  return g.op("Pad", [dy, fixed.includes(undefined) ? g.concat(pads, 0) : g.ints(fixed as number[])]);
}

/** How many elements of x stand before and after those that a cut of step 1 keeps. */
function around(g: GradientBuilder, x: Value, dy: Value, { axis, start, end }: Cut): [Value, Value] {
  const length = g.dims(x)[axis];
  if (typeof length === "number") {
    const first = clamp(start, length);
    return [g.ints([first]), g.ints([length - Math.max(first, clamp(end, length))])];
  }
  const all = g.lengths(x, axis, axis + 1);
  const from = g.ints([start]);
  const first = start < 0 ? g.max(g.add(all, from), g.ints([0])) : g.min(all, from);
  return [first, g.sub(g.sub(all, first), g.op("Shape", [dy], { start: axis, end: axis + 1 }))];
}

/** One axis at a time, last first: rows of the axis go to their own positions, which never coincide. */
function scatterBack(g: GradientBuilder, x: Value, dy: Value, cuts: readonly Cut[]): Value {
  let result = dy;
  const dims = [...g.dims(dy)];
  for (const { axis, start, step } of [...cuts].reverse()) {
    const length = boundedSize(Number(g.dims(x)[axis]));
    const count = boundedSize(Number(dims[axis]));
    const first = Math.min(step > 0 ? length : length - 1, clamp(start, length));
    const places = Array.from({ length: count }, (_, i) => first + i * step);
    const position = new Map(places.map((place, i) => [place, i]));
    const source = Array.from({ length }, (_, i) => position.get(i) ?? count);
    const pads = dims.flatMap(() => 0).concat(dims.map((_, k) => (k === axis ? 1 : 0)));
    result = g.gather(g.op("Pad", [result, g.ints(pads)]), g.ints(source), axis);
    dims[axis] = length;
  }
  return result;
}

/**
 * Constant padding is cut off again, and its value receives what stood on it. Other modes copy elements, which are summed: by
 * matrices of 0 and 1, or where a side is cut or the lengths are not known, at positions that are padded alike.
 */
const pad: GradientRule = (g, node, [dy], needs) => {
  const [x, pads, value, axes] = node.inputs;
  if (!x || !dy || !pads) return [];
  const mode = stringOf(node, "mode", "constant");
  if (mode !== "constant") return [foldedBack(g, node, x, dy) ?? sumAtPlaces(g, x, paddedAlike(g, node, x), dy)];
  const amounts = constantInts(g, pads);
  const isEmpty = amounts?.every((amount) => amount === 0);
  const back = amounts ? g.ints(amounts.map((amount) => 0 - amount)) : g.neg(pads);
  return [
    needs[0] ? (isEmpty ? dy : g.op("Pad", [dy, back, undefined, axes])) : undefined,
    undefined,
    value && needs[2] ? sumOfPadding(g, node, dy) : undefined,
  ];
};

/** For every element of the padded tensor the flat position in x that it copies. */
function paddedAlike(g: GradientBuilder, node: Node, x: Value): Value {
  const [, pads, , axes] = node.inputs;
  return g.op("Pad", [positionsOf(g, x), pads, undefined, axes], { mode: stringOf(node, "mode", "constant") });
}

function sumOfPadding(g: GradientBuilder, node: Node, dy: Value): Value {
  const [x, pads, value, axes] = node.inputs;
  const isPadding = g.op("Pad", [g.zerosLike(x!), pads, g.number(1, dy), axes]);
  const all = [...Array(g.rank(dy)).keys()];
  return g.reshapeLike(g.sum(g.mul(dy, isPadding), all), value!);
}

/** Axis by axis by matrices; `undefined` unless all is known and no side is cut. */
function foldedBack(g: GradientBuilder, node: Node, x: Value, dy: Value): Value | undefined {
  const [, pads, , axes] = node.inputs;
  const rank = g.rank(x);
  const [amounts, named] = [constantInts(g, pads), constantInts(g, axes)];
  if (!amounts || amounts.some((amount) => amount < 0) || (axes && !named)) return undefined;
  const listed = named?.map((axis) => (axis < 0 ? axis + rank : axis)) ?? [...Array(rank).keys()];
  let result = dy;
  for (const [i, axis] of listed.entries()) {
    const [before, after, length] = [nth(amounts, i), nth(amounts, listed.length + i), g.dims(x)[axis]];
    if (before === 0 && after === 0) continue;
    if (typeof length !== "number") return undefined;
    result = foldBack(g, result, axis, sources(stringOf(node, "mode", "constant"), before, length, after));
  }
  return result;
}

/** For each position of the padded axis, the position that it copies. */
function sources(mode: string, before: number, length: number, after: number): number[] {
  return Array.from({ length: boundedSize(before + length + after) }, (_, i) => {
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
  const matrix = new Float64Array(boundedSize(from.length * length));
  from.forEach((position, i) => {
    matrix[i * length + position] = 1;
  });
  const rank = g.rank(dy);
  const last = [...Array(rank).keys()].filter((k) => k !== axis).concat(axis);
  const moved = g.transpose(dy, last);
  const folded = g.matmul(moved, g.matrix(dy, [from.length, length], matrix));
  return g.transpose(folded, inverse(last));
}

const depthToSpace: GradientRule = (g, node, [dy]) => {
  const [x] = node.inputs;
  if (!x || !dy) return [];
  const block = intOf(node, "blocksize", 1);
  if (stringOf(node, "mode", "DCR") === "DCR") return [g.op("SpaceToDepth", [dy], { blocksize: block })];
  const [n, c, h, w] = atLeast(g.dims(x), 4);
  const channels = typeof c === "number" ? c / (block * block) : -1;
  const open = g.op("Reshape", [dy, g.shapeFrom([n, channels, h, block, w, block], x)]);
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
