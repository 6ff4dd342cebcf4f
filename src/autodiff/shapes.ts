/** @file Shape arithmetic of emitted graphs: constants where dims are known, `Shape` nodes where they are not. */
import { lastOf, nth } from "../checked.ts";
import { ShapeError, UnsupportedError } from "../errors.ts";
import {
  type DataType,
  type Dim,
  type Dims,
  dataTypes,
  int64s,
  sameDim,
  sizeOf,
  tensorFromNumbers,
  tensorType,
  UNKNOWN_DIM,
  type Value,
} from "../ir/index.ts";
import { namedProduct } from "../ops/index.ts";
import type { Emitter } from "./emit.ts";
import type { Forms } from "./forms.ts";
import { dimsOf, dtypeOf, isStatic, knownDims } from "./typed.ts";

export interface Shaping {
  /** A one-dimensional int64 constant. */
  ints(values: readonly number[]): Value;
  /** The dims of `x` as an int64 vector: a constant where all are known. */
  shape(x: Value): Value;
  /** `dims` as an int64 vector; a symbolic dim is read from the first of `sources` that has it. */
  shapeFrom(dims: Dims, ...sources: Value[]): Value;
  /** The lengths of `x` along its axes from `start` (to `end`), as an int64 vector. */
  lengths(x: Value, start: number, end?: number): Value;
  reshape(x: Value, dims: Dims): Value;
  reshapeLike(x: Value, like: Value): Value;
  expandLike(x: Value, like: Value): Value;
  /** Adds an axis of length 1 at each of `axes`, which count in the result. */
  unsqueeze(x: Value, axes: readonly number[]): Value;
  transpose(x: Value, permutation: readonly number[]): Value;
  /** Swaps the last two axes. */
  transposeLast(x: Value): Value;
  zerosLike(x: Value): Value;
  /** Zeros of the dtype of `like`. */
  zeros(like: Value, dims: Dims, ...sources: Value[]): Value;
  /** Sums over the axes that broadcasting `like` to the dims of `x` has added. */
  sumTo(x: Value, like: Value): Value;
}

type ReduceSum = (x: Value, axes: readonly number[], keepdims?: boolean) => Value;

/** Zeros of at most this many elements are constants. */
const SMALL = 64;

export function shaping(emit: Emitter, { rowSum }: Pick<Forms, "rowSum">): Shaping {
  const { op } = emit;
  const reduceSum: ReduceSum = (x, axes, keepdims = false) =>
    axes.length === 0 ? x : op("ReduceSum", [x, ints(axes)], { keepdims });
  const ints = (values: readonly number[]): Value => intsIn(emit, values);

  const shape = (x: Value): Value => {
    const list = knownDims(x);
    return list && isStatic(list) ? ints(list) : op("Shape", [x]);
  };

  const shapeFrom = (list: Dims, ...sources: Value[]): Value => {
    if (isStatic(list)) return ints(list);
    const source = sources.find((value) => list.length > 0 && sameDims(dimsOf(value), list));
    if (source) return shape(source);
    const parts = list.map((dim) => (typeof dim === "number" ? ints([dim]) : dimFrom(emit, dim, sources)));
    return op("Concat", parts, { axis: 0 });
  };

  const lengths = (x: Value, start: number, end = dimsOf(x).length): Value => {
    const part = dimsOf(x).slice(start, end);
    return isStatic(part) ? ints(part) : op("Shape", [x], { start, end });
  };

  const zeros = (like: Value, list: Dims, ...sources: Value[]): Value => {
    const dtype = dtypeOf(like);
    if (isStatic(list) && sizeOf(list) <= SMALL) {
      const none = new Array<number>(sizeOf(list)).fill(0);
      return emit.constant("zeros", `${dtype} zeros ${list}`, () => tensorFromNumbers(dtype, list, none));
    }
    return filled(emit, shapeFrom(list, ...sources), dtype, 0);
  };

  const zerosLike = (x: Value): Value => {
    const list = knownDims(x);
    return list && isStatic(list) ? zeros(x, list, x) : filled(emit, shape(x), dtypeOf(x), 0);
  };

  const sumTo = summing(emit, rowSum, { ...reshaping(emit, shape, shapeFrom), zerosLike, reduceSum });

  return {
    ...reshaping(emit, shape, shapeFrom),
    ints,
    shape,
    shapeFrom,
    lengths,
    expandLike(x, like) {
      const [from, to] = [knownDims(x), knownDims(like)];
      return from && to && sameDims(from, to) ? x : op("Expand", [x, shape(like)]);
    },
    zerosLike,
    zeros,
    sumTo,
  };
}

/** Sums over the axes that broadcasting has added. */
function summing(
  emit: Emitter,
  rowSum: Forms["rowSum"],
  { reshapeLike, zerosLike, reduceSum }: Pick<Shaping, "reshapeLike" | "zerosLike"> & { readonly reduceSum: ReduceSum },
): Shaping["sumTo"] {
  const sumOfRows = (x: Value, axes: readonly number[]): Value => {
    const isMatrix = axes.length === dimsOf(x).length - 1 && typeof dimsOf(x).at(-1) === "number";
    return isMatrix && rowSum === "product" ? productWithOnes(emit, x) : reduceSum(x, axes);
  };

  return (x, like) => {
    if (!knownDims(x) || !knownDims(like)) return sumWhereOne(emit, x, like);
    if ([...dimsOf(x), ...dimsOf(like)].includes(0)) return zerosLike(like);
    const axes = addedAxes(dimsOf(x), dimsOf(like));
    if (!axes) return sumWhereOne(emit, x, like);
    if (axes.length === 0) return x;
    const added = dimsOf(x).length - dimsOf(like).length;
    if (axes.length === added) return sumOfRows(x, axes);
    const kept = rowsBehind(dimsOf(x), axes);
    if (kept !== undefined && rowSum === "product") {
      return reshapeLike(productWithOnes(emit, x, kept), like);
    }
    const summed = reduceSum(x, axes, true);
    return reshapeLike(summed, like);
  };
}

/** Shared, by the shape that it is filled to. */
function filled(emit: Emitter, shape: Value, dtype: DataType, number: number): Value {
  const value = tensorFromNumbers(dtype, [1], [number]);
  return emit.shared(`${dtype} ${number} ${shape.name}`, () => emit.op("ConstantOfShape", [shape], { value }));
}

/** How many axes stand before the summed ones, where these are all others but the last and every other length is known. */
function rowsBehind(dims: Dims, axes: readonly number[]): number | undefined {
  const [kept = 0] = axes;
  const isBlock = axes.length === dims.length - 1 - kept && axes.every((axis, i) => axis === kept + i);
  return isBlock && isStatic([...dims.slice(0, kept), lastOf(dims)]) ? kept : undefined;
}

/** Σ over all axes but the last and the first `kept` ones: [1, rows] · [kept…, rows, length]. */
function productWithOnes(emit: Emitter, x: Value, kept = 0): Value {
  const { op } = emit;
  const dims = dimsOf(x);
  const before = dims.slice(0, kept).map(Number);
  const length = Number(dims.at(-1));
  const known = namedProduct(dims.slice(kept, -1));
  const types = known === UNKNOWN_DIM ? {} : { types: [tensorType(dtypeOf(x), [...before, known, length])] };
  const shaped = (): Value => op("Reshape", [x, intsIn(emit, [...before, -1, length])], {}, types);
  const flat = dims.length === kept + 2 ? x : shaped();
  const rows = nth(dimsOf(flat), kept);
  const count = (): Value => op("Shape", [flat], { start: kept, end: kept + 1 });
  const shape =
    typeof rows === "number" ? intsIn(emit, [1, rows]) : op("Concat", [intsIn(emit, [1]), count()], { axis: 0 });
  const sum = op("MatMul", [filled(emit, shape, dtypeOf(x), 1), flat]);
  return op("Reshape", [sum, intsIn(emit, [...before, length])]);
}

export function intsIn(emit: Emitter, values: readonly number[]): Value {
  return emit.constant("ints", `ints ${values}`, () => int64s(values));
}

function reshaping(emit: Emitter, shape: Shaping["shape"], shapeFrom: Shaping["shapeFrom"]) {
  const { op } = emit;

  function reshape(x: Value, list: Dims): Value {
    const from = knownDims(x);
    if (from && sameDims(from, list)) return x;
    const open = list.filter((dim) => typeof dim !== "number").length;
    const attributes = list.includes(0) ? { allowzero: true } : {};
    if (open > 1 || (open > 0 && list.includes(0))) return op("Reshape", [source(x), shapeFrom(list, x)], attributes);
    const types = list.includes(UNKNOWN_DIM) || list.includes(-1) ? {} : { types: [tensorType(dtypeOf(x), list)] };
    return op("Reshape", [source(x), intsIn(emit, list.map(lengthOrRest))], attributes, types);
  }

  /** A reshape of a reshape is one reshape. */
  function source(x: Value): Value {
    const made = emit.made(x);
    return made?.opType === "Reshape" ? nth(made.inputs, 0) : x;
  }

  function transpose(x: Value, permutation: readonly number[]): Value {
    const made = emit.made(x);
    const before = made?.opType === "Transpose" ? (made.attributes.perm as readonly number[]) : undefined;
    if (before)
      return transpose(
        nth(made!.inputs, 0),
        permutation.map((axis) => nth(before, axis)),
      );
    return permutation.every((axis, i) => axis === i) ? x : op("Transpose", [x], { perm: permutation });
  }

  return {
    reshape,
    reshapeLike(x: Value, like: Value): Value {
      const [from, to] = [knownDims(x), knownDims(like)];
      if (!from || !to) return op("Reshape", [source(x), shape(like)], { allowzero: true });
      const open = to.filter((dim) => typeof dim !== "number").length;
      if (open <= 1 && !to.includes(0)) return reshape(x, to);
      return sameDims(from, to) ? x : op("Reshape", [source(x), shape(like)], { allowzero: true });
    },
    unsqueeze: (x: Value, axes: readonly number[]): Value =>
      axes.length === 0 ? x : op("Unsqueeze", [x, intsIn(emit, axes)]),
    transpose,
    transposeLast(x: Value): Value {
      const last = dimsOf(x).length - 1;
      return transpose(x, [...Array(last - 1).keys(), last, last - 1]);
    },
  };
}

function lengthOrRest(dim: Dim): number {
  return typeof dim === "number" ? dim : -1;
}

function sameDims(a: Dims, b: Dims): boolean {
  return a.length === b.length && a.every((dim, i) => sameDim(dim, nth(b, i)));
}

function dimFrom(emit: Emitter, dim: Dim, sources: readonly Value[]): Value {
  const source = sources.find((value) => dim !== UNKNOWN_DIM && dimsOf(value).includes(dim));
  if (source) {
    const axis = dimsOf(source).indexOf(dim);
    return emit.op("Shape", [source], { start: axis, end: axis + 1 });
  }
  throw new UnsupportedError("a dim of a gradient cannot be read from anywhere", {
    expected: `"${dim}" among ${sources.map((value) => `[${dimsOf(value).join(", ")}]`).join(", ")}`,
    where: `value "${sources[0]?.name}"`,
    hint: "Fix the dims of the model's inputs.",
  });
}

/** Axes of `from` along which `to`, aligned at the back, was repeated; `undefined` where that shows only in a run. */
function addedAxes(from: Dims, to: Dims): number[] | undefined {
  const added = from.length - to.length;
  const isOpen = to.some((dim, i) => dim !== 1 && from[added + i] !== 1 && !sameDim(dim, nth(from, added + i)));
  if (isOpen) return undefined;
  return from.flatMap((dim, axis) => (axis < added || (to[axis - added] === 1 && dim !== 1) ? [axis] : []));
}

/** Sums over the axes along which `like` turns out to have length 1. Where x has it too, that changes nothing. */
function sumWhereOne(emit: Emitter, x: Value, like: Value): Value {
  const { op } = emit;
  const shape = op("Shape", [like]);
  const [from, to] = [knownDims(x), knownDims(like)];
  const aligned =
    from && to && from.length === to.length ? shape : op("Concat", [missingOnes(emit, x, like), shape], { axis: 0 });
  const axes = op("Reshape", [op("NonZero", [op("Equal", [aligned, intsIn(emit, [1])])]), intsIn(emit, [-1])]);
  const summed = op("ReduceSum", [x, axes], { keepdims: 1, noop_with_empty_axes: 1 });
  return op("Reshape", [summed, shape], { allowzero: true });
}

/** A one for each axis that x has more than `like`. */
function missingOnes(emit: Emitter, x: Value, like: Value): Value {
  const [from, to] = [knownDims(x), knownDims(like)];
  if (from && to && from.length < to.length) {
    const [expected, got] = [`at least ${to.length}`, `${from.length}`];
    throw new ShapeError("a cotangent has fewer axes than its value", { expected, got, where: `value "${like.name}"` });
  }
  if (from && to) return intsIn(emit, new Array<number>(from.length - to.length).fill(1));
  const rank = (value: Value): Value => emit.op("Shape", [emit.op("Shape", [value])]);
  return filled(emit, emit.op("Sub", [rank(x), rank(like)]), "int64", 1);
}

export function dataTypeCode(dtype: DataType): number {
  return dataTypes[dtype].code;
}
