/** @file The vocabulary of gradient rules: a graph builder that knows the dims of what it makes. */
import { UnsupportedError } from "../errors.ts";
import {
  type BuilderAttributes,
  type DataType,
  type Dim,
  type Dims,
  dataTypes,
  type GraphBuilder,
  int64s,
  type OpOptions,
  sameDim,
  scalar,
  sizeOf,
  type Tensor,
  type TensorType,
  tensorFromNumbers,
  UNKNOWN_DIM,
  type Value,
} from "../ir/index.ts";
import { type ConvChoice, defaultChoice } from "./conv/choose.ts";

export interface GradientBuilder {
  op(
    opType: string,
    inputs: readonly (Value | undefined)[],
    attributes?: BuilderAttributes,
    options?: OpOptions,
  ): Value;
  ops(opType: string, inputs: readonly (Value | undefined)[], count: number, attributes?: BuilderAttributes): Value[];
  readonly raw: GraphBuilder;
  readonly forms: Forms;
  /** The constant behind a value, when it is one. */
  constant(value: Value | undefined): Tensor | undefined;
  type(value: Value): TensorType;
  dims(value: Value): Dims;
  rank(value: Value): number;
  dtype(value: Value): DataType;
  add(a: Value, b: Value): Value;
  sub(a: Value, b: Value): Value;
  mul(a: Value, b: Value): Value;
  div(a: Value, b: Value): Value;
  neg(a: Value): Value;
  /** A scalar of the same dtype as `like`. */
  number(like: Value, x: number): Value;
  /** `x · factor`. */
  scale(x: Value, factor: number): Value;
  /** A one-dimensional int64 constant. */
  ints(values: readonly number[]): Value;
  /** Sums over the axes that broadcasting `like` to the dims of `x` has added. */
  sumTo(x: Value, like: Value): Value;
  reduceSum(x: Value, axes: readonly number[], keepdims?: boolean): Value;
  reduceMean(x: Value, axes: readonly number[], keepdims?: boolean): Value;
  /** The dims of `x` as an int64 vector: a constant where all are known. */
  shape(x: Value): Value;
  /** `dims` as an int64 vector; a symbolic dim is read from `source`, which must have it. */
  shapeFrom(dims: Dims, source: Value): Value;
  /** A constant matrix of the dtype of `like`. */
  matrix(like: Value, dims: readonly number[], values: Float64Array): Value;
  reshape(x: Value, dims: Dims): Value;
  reshapeLike(x: Value, like: Value): Value;
  expandLike(x: Value, like: Value): Value;
  transpose(x: Value, permutation: readonly number[]): Value;
  /** Swaps the last two axes. */
  transposeLast(x: Value): Value;
  cast(x: Value, dtype: DataType): Value;
  zerosLike(x: Value): Value;
  /** A comparison as numbers of the dtype of `like`: 1 where it holds, else 0. */
  mask(condition: Value, like: Value): Value;
}

/** Choices among forms that are equal in value and differ in speed. */
export interface Forms {
  readonly conv: ConvChoice;
}

export const defaultForms: Forms = { conv: defaultChoice };

export function gradientBuilder(
  g: GraphBuilder,
  constant: (value: Value | undefined) => Tensor | undefined,
  forms: Forms = defaultForms,
): GradientBuilder {
  const { op, ops } = g;
  const numbers = new Map<string, Value>();
  const vectors = new Map<string, Value>();

  function type(value: Value): TensorType {
    if (value.type?.kind === "tensor") return value.type;
    throw new UnsupportedError("a gradient needs the type of a value that is not known", {
      where: `value "${value.name}"`,
      hint: "Give the model's inputs their dtypes and dims, and run infer-shapes.",
    });
  }

  function dims(value: Value): Dims {
    const known = type(value).dims;
    if (known) return known;
    throw new UnsupportedError("a gradient needs the rank of a value that is not known", {
      where: `value "${value.name}"`,
    });
  }

  const dtype = (value: Value): DataType => type(value).dtype;

  function number(like: Value, x: number): Value {
    const key = `${dtype(like)} ${x}`;
    const known = numbers.get(key);
    if (known) return known;
    const fresh = g.constant("number", scalar(dtype(like), x));
    numbers.set(key, fresh);
    return fresh;
  }

  function ints(values: readonly number[]): Value {
    const key = values.join(" ");
    const known = vectors.get(key);
    if (known) return known;
    const fresh = g.constant("ints", int64s(values));
    vectors.set(key, fresh);
    return fresh;
  }

  const isStatic = (list: Dims): list is readonly number[] => list.every((dim) => typeof dim === "number");
  const shape = (x: Value): Value => {
    const list = dims(x);
    return isStatic(list) ? ints(list) : op("Shape", [x]);
  };

  function shapeFrom(list: Dims, source: Value): Value {
    if (isStatic(list)) return ints(list);
    const parts = list.map((dim) => (typeof dim === "number" ? ints([dim]) : dimOf(dim, source)));
    return op("Concat", parts, { axis: 0 });
  }

  function dimOf(dim: Dim, source: Value): Value {
    const axis = dims(source).indexOf(dim);
    if (dim !== UNKNOWN_DIM && axis >= 0) return op("Shape", [source], { start: axis, end: axis + 1 });
    throw new UnsupportedError("a dim of a gradient cannot be read from anywhere", {
      expected: `"${dim}" among [${dims(source).join(", ")}]`,
      where: `value "${source.name}"`,
      hint: "Fix the dims of the model's inputs.",
    });
  }

  function reduce(opType: "ReduceSum" | "ReduceMean") {
    return (x: Value, axes: readonly number[], keepdims = false): Value =>
      axes.length === 0 ? x : op(opType, [x, ints(axes)], { keepdims });
  }
  const reduceSum = reduce("ReduceSum");

  function sumTo(x: Value, like: Value): Value {
    const [from, to] = [dims(x), dims(like)];
    const added = from.length - to.length;
    const axes = from.flatMap((dim, axis) => (axis < added || isBroadcast(dim, to[axis - added]!, like) ? [axis] : []));
    if (axes.length === 0) return x;
    const summed = reduceSum(x, axes, true);
    return added === 0 ? summed : reshapeLike(summed, like);
  }

  /** Symbolic dims that differ could still be 1 at run time, so nothing can be said of them. */
  function isBroadcast(from: Dim, to: Dim, like: Value): boolean {
    if (sameDim(from, to)) return false;
    if (to === 1) return true;
    if (from === 1) return false;
    throw new UnsupportedError("it is not known whether two dims are equal, so a gradient cannot be summed", {
      got: `${from || "?"} and ${to || "?"}`,
      where: `value "${like.name}"`,
      hint: "Fix the dims of the model's inputs, or give equal dims equal names.",
    });
  }

  function reshape(x: Value, list: Dims): Value {
    const from = dims(x);
    if (from.length === list.length && from.every((dim, i) => sameDim(dim, list[i]!))) return x;
    const open = list.filter((dim) => typeof dim !== "number").length;
    if (open <= 1) return op("Reshape", [x, ints(list.map((dim) => (typeof dim === "number" ? dim : -1)))]);
    return op("Reshape", [x, shapeFrom(list, x)]);
  }

  function reshapeLike(x: Value, like: Value): Value {
    const [from, to] = [dims(x), dims(like)];
    if (from.length === to.length && from.every((dim, i) => sameDim(dim, to[i]!))) return x;
    const open = to.filter((dim) => typeof dim !== "number").length;
    return open <= 1 && !to.includes(0) ? reshape(x, to) : op("Reshape", [x, shape(like)], { allowzero: true });
  }

  function transpose(x: Value, permutation: readonly number[]): Value {
    return permutation.every((axis, i) => axis === i) ? x : op("Transpose", [x], { perm: permutation });
  }

  return {
    op,
    ops,
    raw: g,
    forms,
    constant,
    type,
    dims,
    rank: (value) => dims(value).length,
    dtype,
    add: (a, b) => op("Add", [a, b]),
    sub: (a, b) => op("Sub", [a, b]),
    mul: (a, b) => op("Mul", [a, b]),
    div: (a, b) => op("Div", [a, b]),
    neg: (a) => op("Neg", [a]),
    number,
    scale: (x, factor) => (factor === 1 ? x : op("Mul", [x, number(x, factor)])),
    ints,
    sumTo,
    reduceSum,
    reduceMean: reduce("ReduceMean"),
    shape,
    shapeFrom,
    matrix: (like, list, values) => g.constant("matrix", tensorFromNumbers(dtype(like), list, values)),
    reshape,
    reshapeLike,
    expandLike: (x, like) => op("Expand", [x, shape(like)]),
    transpose,
    transposeLast(x) {
      const last = dims(x).length - 1;
      return transpose(x, [...Array(last - 1).keys(), last, last - 1]);
    },
    cast: (x, to) => (dtype(x) === to ? x : op("Cast", [x], { to: dataTypeCode(to) })),
    zerosLike(x) {
      const list = dims(x);
      if (isStatic(list) && sizeOf(list) <= 64) {
        return g.constant("zeros", tensorFromNumbers(dtype(x), list, new Array(sizeOf(list)).fill(0)));
      }
      return op("ConstantOfShape", [shape(x)], { value: tensorFromNumbers(dtype(x), [1], [0]) });
    },
    mask: (condition, like) => op("Cast", [condition], { to: dataTypeCode(dtype(like)) }),
  };
}

function dataTypeCode(dtype: DataType): number {
  return dataTypes[dtype].code;
}
