/**
 * @file Gradients of indexing. What was read several times is summed, by ScatterElements: ScatterND with a reduction loses
 * updates on several threads when indices repeat.
 */
import { nth } from "../../checked.ts";
import { UnsupportedError } from "../../errors.ts";
import {
  type Dims,
  elementCount,
  intOf,
  type Node,
  numbersOf,
  stringOf,
  UNKNOWN_DIM,
  type Value,
} from "../../ir/index.ts";
import type { GradientBuilder } from "../gradient-builder.ts";
import { type Cotangents, type GradientEntry, type GradientRule, refuse, stop } from "../rule.ts";
import { positionsOf, scatterAdd, sumAtPlaces } from "../scatter.ts";
import { isStatic } from "../typed.ts";

function axisOf(g: GradientBuilder, node: Node, x: Value, fallback: number): number {
  const axis = intOf(node, "axis", fallback);
  return axis < 0 ? axis + g.rank(x) : axis;
}

/** The axes of the indices are flattened into one, in the place of the axis that they index. */
const gather: GradientRule = (g, node, [dy]) => {
  const [x, indices] = node.inputs;
  if (!x || !indices || !dy) return [];
  const axis = axisOf(g, node, x, 0);
  const dims = g.dims(x);
  const single = singlePosition(g, indices, nth(dims, axis));
  if (single !== undefined) return [padAround(g, g.rank(indices) === 0 ? g.unsqueeze(dy, [axis]) : dy, axis, single)];
  const picked = g.dims(indices);
  const count = elementCount(picked) ?? (picked.length === 1 ? nth(picked, 0) : -1);
  const rows: Dims = [...dims.slice(0, axis), count, ...dims.slice(axis + 1)];
  const flat = g.rank(indices) === 1 ? dy : flattenAt(g, dy, axis, picked.length, rows);
  const along = g.reshape(indices, [...dims.slice(0, axis).map(() => 1), count, ...dims.slice(axis + 1).map(() => 1)]);
  const places = g.expand(along, g.shape(flat));
  if (!isUnique(g, indices, nth(dims, axis))) return [scatterAdd(g, g.zerosLike(x), places, flat, axis)];
  return [g.op("ScatterElements", [g.zerosLike(x), places, flat], { axis, reduction: "none" })];
};

function flattenAt(g: GradientBuilder, dy: Value, axis: number, rank: number, rows: Dims): Value {
  if (rows.filter((dim) => typeof dim !== "number" || dim === -1).length <= 1) return g.reshape(dy, rows);
  if (rank === 0) return g.unsqueeze(dy, [axis]);
  const shape = g.op("Shape", [dy]);
  const part = (from: number, to: number): Value => g.op("Slice", [shape, g.ints([from]), g.ints([to])]);
  const target = [part(0, axis), g.ints([-1]), part(axis + rank, g.rank(dy))];
  return g.op("Reshape", [dy, g.concat(target, 0)]);
}

/** The constant index, where there is one and the length of the axis is known. */
function singlePosition(g: GradientBuilder, indices: Value, length: Dims[number]) {
  const constant = g.constant(indices);
  if (!constant || typeof length !== "number") return undefined;
  const values = numbersOf(constant);
  if (values.length !== 1 || constant.dims.length > 1) return undefined;
  const before = values[0]! < 0 ? values[0]! + length : values[0]!;
  return { before, after: length - 1 - before };
}

function padAround(g: GradientBuilder, dy: Value, axis: number, { before, after }: { before: number; after: number }) {
  const rank = g.rank(dy);
  const pads = new Array<number>(2 * rank).fill(0);
  pads[axis] = before;
  pads[rank + axis] = after;
  return before + after === 0 ? dy : g.op("Pad", [dy, g.ints(pads)]);
}

function isUnique(g: GradientBuilder, indices: Value, length: Dims[number]): boolean {
  const constant = g.constant(indices);
  if (!constant || typeof length !== "number") return false;
  const values = [...numbersOf(constant)].map((i) => (i < 0 ? i + length : i));
  return new Set(values).size === values.length;
}

const gatherElements: GradientRule = (g, node, [dy]) => {
  const [x, indices] = node.inputs;
  if (!x || !indices || !dy) return [];
  const axis = axisOf(g, node, x, 0);
  return [scatterAdd(g, g.zerosLike(x), indices, dy, axis)];
};

/** Tuples of indices as flat positions of slices: x is [batch, positions, slice], the indices [batch, tuples]. */
interface FlatIndices {
  readonly places: Value;
  readonly positions: number;
  readonly slice: number;
}

/** `undefined` unless the indexed lengths, and how many axes are indexed, are known. */
function flatIndices(g: GradientBuilder, x: Value, indices: Value, batchDims: number): FlatIndices | undefined {
  const width = g.dims(indices).at(-1);
  const dims = g.dims(x);
  const known: Dims = typeof width === "number" ? dims.slice(batchDims) : [UNKNOWN_DIM];
  if (!isStatic(known) || typeof width !== "number") return undefined;
  const lengths = known.slice(0, width);
  const strides = lengths.map((_, i) => lengths.slice(i + 1).reduce((n, d) => n * d, 1));
  const wrapped = g.where(g.less(indices, 0), g.op("Add", [indices, g.ints(lengths)]), indices);
  const places = g.sum(g.op("Mul", [wrapped, g.ints(strides)]), [g.rank(indices) - 1]);
  const size = (list: readonly number[]): number => list.reduce((n, d) => n * d, 1);
  return { places, positions: size(lengths), slice: size(known.slice(width)) };
}

/** A value as [batch, rows, slice]; `batch` is folded from the leading `batchDims` axes. */
function folded(g: GradientBuilder, x: Value, batchDims: number, rows: number, slice: number): Value {
  const length = elementCount(g.dims(x).slice(0, batchDims)) ?? -1;
  if (length === -1 && rows === -1) {
    throw new UnsupportedError("an indexing gradient needs known batch dims or known index dims", {
      where: `value "${x.name}"`,
    });
  }
  return g.reshape(x, [length, rows, slice]);
}

function tuplesOf(g: GradientBuilder, indices: Value, batchDims: number): number {
  return elementCount(g.dims(indices).slice(batchDims, -1)) ?? -1;
}

function rowPlaces(g: GradientBuilder, flat: FlatIndices, batchDims: number, tuples: number, rows: Value): Value {
  const places = folded(g, flat.places, batchDims, tuples, 1);
  return flat.slice === 1 ? places : g.expand(places, g.shape(rows));
}

const gatherNd: GradientRule = (g, node, [dy]) => {
  const [x, indices] = node.inputs;
  if (!x || !indices || !dy) return [];
  const batch = intOf(node, "batch_dims", 0);
  const flat = flatIndices(g, x, indices, batch);
  if (!flat) return [sumAtPlaces(g, x, g.op("GatherND", [positionsOf(g, x), indices], { batch_dims: batch }), dy)];
  const tuples = tuplesOf(g, indices, batch);
  const rows = folded(g, dy, batch, tuples, flat.slice);
  const places = rowPlaces(g, flat, batch, tuples, rows);
  const zeros = folded(g, g.zerosLike(x), batch, flat.positions, flat.slice);
  return [g.reshapeLike(scatterAdd(g, zeros, places, rows, 1), x)];
};

/** How a scatter's operands look once positions are flat along one axis. */
interface Scatter {
  readonly reduction: string;
  readonly axis: number;
  readonly data: Value;
  readonly places: Value;
  readonly updates: Value;
  readonly y: Value;
  readonly dy: Value;
}

/** Cotangents of data and updates. Updates that share a position with reduction "none" are undefined by ONNX itself. */
function scatterBack(g: GradientBuilder, parts: Scatter): readonly [data: Value, updates: Value] {
  const { reduction, axis, data, places, updates, y, dy } = parts;
  const take = (from: Value): Value => g.op("GatherElements", [from, places], { axis });
  const put = (into: Value, what: Value, how: string): Value =>
    g.op("ScatterElements", [into, places, what], { axis, reduction: how });
  if (reduction === "none") return [put(dy, g.zerosLike(updates), "none"), take(dy)];
  if (reduction === "add") return [dy, take(dy)];
  if (reduction === "mul") {
    const ones = g.op("Add", [g.zerosLike(data), g.number(1, data)]);
    return [g.mul(dy, put(ones, updates, "mul")), g.div(take(g.mul(dy, y)), updates)];
  }
  const isKept = g.mask(g.equal(data, y), data);
  const isTaken = g.mask(g.equal(updates, take(y)), data);
  const share = g.div(dy, put(isKept, isTaken, "add"));
  return [g.mul(share, isKept), g.mul(take(share), isTaken)];
}

const scatterElements: GradientRule = (g, node, [dy]) => {
  const [data, places, updates] = node.inputs;
  const [y] = node.outputs;
  if (!data || !places || !updates || !y || !dy) return [];
  const reduction = stringOf(node, "reduction", "none");
  const parts = { reduction, axis: axisOf(g, node, data, 0), data, places, updates, y, dy };
  const [dData, dUpdates] = scatterBack(g, parts);
  return [dData, undefined, dUpdates];
};

/** Where only a run knows the lengths: everything flat, the positions read as the tuples name them. */
function scatterAlongOne(
  g: GradientBuilder,
  { indices, ...parts }: Omit<Scatter, "axis" | "places"> & { readonly indices: Value },
): Cotangents {
  const { reduction, data, updates, y, dy } = parts;
  const flat = (x: Value): Value => g.reshape(x, [-1]);
  const places = flat(g.op("GatherND", [positionsOf(g, data), indices]));
  const [dData, dUpdates] = scatterBack(g, {
    reduction,
    axis: 0,
    data: flat(data),
    places,
    updates: flat(updates),
    y: flat(y),
    dy: flat(dy),
  });
  return [g.reshapeLike(dData, data), undefined, g.reshapeLike(dUpdates, updates)];
}

/** Tuples of indices name whole slices, so what an update gives is read back as it was written. */
const scatterNd: GradientRule = (g, node, [dy], needs) => {
  const [data, indices, updates] = node.inputs;
  const [y] = node.outputs;
  if (!data || !indices || !updates || !y || !dy) return [];
  const reduction = stringOf(node, "reduction", "none");
  if (reduction === "add" || (reduction === "none" && !needs[0])) {
    return [dy, undefined, g.op("GatherND", [dy, indices])];
  }
  const flat = flatIndices(g, data, indices, 0);
  if (!flat) return scatterAlongOne(g, { reduction, data, indices, updates, y, dy });
  const fold = (x: Value): Value => folded(g, x, 0, flat.positions, flat.slice);
  const rows = folded(g, updates, 0, tuplesOf(g, indices, 0), flat.slice);
  const [dData, dUpdates] = scatterBack(g, {
    reduction,
    axis: 1,
    data: fold(data),
    places: rowPlaces(g, flat, 0, tuplesOf(g, indices, 0), rows),
    updates: rows,
    y: fold(y),
    dy: fold(dy),
  });
  return [g.reshapeLike(dData, data), undefined, g.reshapeLike(dUpdates, updates)];
};

/** The positions of a TopK along its axis never repeat. */
const topK: GradientRule = (g, node, [dy]) => {
  const [x] = node.inputs;
  const [values, places] = node.outputs;
  if (!x || !values || !places || !dy) return [];
  return [g.op("ScatterElements", [g.zerosLike(x), places, dy], { axis: axisOf(g, node, x, -1), reduction: "none" })];
};

/** Kept positions are counted out from the condition, then each goes back to its own place. */
const compress: GradientRule = (g, node, [dy]) => {
  const [x, condition] = node.inputs;
  if (!x || !condition || !dy) return [];
  const axis = intOf(node, "axis");
  const source = axis === undefined ? g.reshape(x, [-1]) : x;
  const at = axis === undefined ? 0 : axis < 0 ? axis + g.rank(x) : axis;
  const length = g.op("Gather", [g.op("Shape", [source]), g.op("Squeeze", [g.ints([at])])]);
  const all = g.op("Range", [g.number(0, length), length, g.number(1, length)]);
  const kept = g.op("Compress", [all, condition], { axis: 0 });
  const along = g.op("Reshape", [kept, g.ints(g.dims(source).map((_, i) => (i === at ? -1 : 1)))]);
  const places = g.expand(along, g.op("Shape", [dy]));
  const scattered = g.op("ScatterElements", [g.zerosLike(source), places, dy], { axis: at, reduction: "none" });
  return [g.reshapeLike(scattered, x)];
};

/** y = off + hot·(on − off), so that the pair receives (Σ dy·(1 − hot), Σ dy·hot). */
const oneHot: GradientRule = (g, node, [dy]) => {
  const [indices, depth, values] = node.inputs;
  if (!indices || !depth || !values || !dy) return [];
  const axis = intOf(node, "axis", -1);
  const hot = g.op("OneHot", [indices, depth, g.matrix(values, [2], [0, 1])], { axis });
  const axes = g.dims(dy).map((_, i) => i);
  const on = g.sum(g.mul(dy, hot), axes);
  const off = g.sub(g.sum(dy, axes), on);
  return [undefined, undefined, g.concat([g.unsqueeze(off, [0]), g.unsqueeze(on, [0])], 0)];
};

export const indexing = {
  Gather: gather,
  GatherElements: gatherElements,
  GatherND: gatherNd,
  ScatterElements: scatterElements,
  Scatter: scatterElements,
  ScatterND: scatterNd,
  TensorScatter: refuse("it writes a cache, for inference step by step"),
  TopK: topK,
  Compress: compress,
  OneHot: oneHot,
  NonZero: stop,
  Unique: refuse("which elements it keeps is decided by comparing floats for equality"),
  NonMaxSuppression: stop,
} satisfies Record<string, GradientEntry>;
