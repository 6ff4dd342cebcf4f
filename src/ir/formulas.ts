/** @file The words that formulas are written in: `g.mul(a, 2)` is a node, and the number a constant of the dtype of `a`. */
import type { Operators } from "./builder.ts";
import type { Value } from "./graph.ts";
import type { Inputs } from "./operator.ts";
import { type DataType, dataTypes } from "./types.ts";

/** A number stands for a constant of the dtype of the other operand. */
export type Operand = Value | number;

/** A dtype, or a value that has it. */
export type Like = DataType | Value;

export interface Formulas {
  add(a: Operand, b: Operand): Value;
  sub(a: Operand, b: Operand): Value;
  mul(a: Operand, b: Operand): Value;
  div(a: Operand, b: Operand): Value;
  pow(a: Operand, b: Operand): Value;
  min(a: Operand, b: Operand): Value;
  max(a: Operand, b: Operand): Value;
  equal(a: Operand, b: Operand): Value;
  less(a: Operand, b: Operand): Value;
  greater(a: Operand, b: Operand): Value;
  and(a: Value, b: Value): Value;
  not(condition: Value): Value;
  where(condition: Value, a: Operand, b: Operand): Value;
  neg(x: Value): Value;
  abs(x: Value): Value;
  sqrt(x: Value): Value;
  exp(x: Value): Value;
  log(x: Value): Value;
  relu(x: Value): Value;
  sigmoid(x: Value): Value;
  tanh(x: Value): Value;
  softmax(x: Value, axis: number): Value;
  matmul(a: Value, b: Value): Value;
  /** Sums over axes, or over all; without the axes unless `keep`. Over no axes it is x. */
  sum(x: Value, axes?: readonly number[], keep?: boolean): Value;
  mean(x: Value, axes?: readonly number[], keep?: boolean): Value;
  cast(x: Value, like: Like): Value;
  /** 1 where the condition holds, else 0. */
  mask(condition: Value, like: Like): Value;
  concat(parts: readonly Value[], axis: number): Value;
  gather(x: Value, indices: Value, axis: number): Value;
  slice(x: Value, starts: readonly number[], ends: readonly number[], axes: readonly number[]): Value;
  reshape(x: Value, dims: readonly number[]): Value;
  transpose(x: Value, permutation: readonly number[]): Value;
  /** Adds an axis of length 1 at each of `axes`, which count in the result. */
  unsqueeze(x: Value, axes: readonly number[]): Value;
  squeeze(x: Value, axes: readonly number[]): Value;
  /** The dims of x as an int64 vector. */
  shape(x: Value): Value;
  expand(x: Value, shape: Value): Value;
  /** A constant scalar. */
  number(x: number, like: Like): Value;
  /** A constant int64 vector, for axes and shapes. */
  ints(list: readonly number[]): Value;
}

/** Where formulas are written: who adds nodes and constants, and who knows dtypes. */
export interface FormulaContext extends Pick<Operators<never>, "op"> {
  number(x: number, dtype: DataType): Value;
  ints(list: readonly number[]): Value;
  dtypeOf(value: Value): DataType;
  /** What stands for the axes of a reduction over all: nothing, or an input that is left out. */
  readonly axes?: "absent" | "empty";
}

type Binary = "Add" | "Sub" | "Mul" | "Div" | "Pow" | "Min" | "Max" | "Equal" | "Less" | "Greater";
type Unary = "Not" | "Neg" | "Abs" | "Sqrt" | "Exp" | "Log" | "Relu" | "Sigmoid" | "Tanh";

export function formulas(context: FormulaContext): Formulas {
  return { ...arithmetic(context), ...movement(context), ...reductions(context) };
}

function arithmetic({ op, number, dtypeOf }: FormulaContext) {
  const dtypeLike = (like: Like): DataType => (typeof like === "string" ? like : dtypeOf(like));
  const value = (x: Operand, other: Operand): Value => {
    if (typeof x !== "number") return x;
    return number(x, typeof other === "number" ? "float32" : dtypeOf(other));
  };
  const binary = (opType: Binary) => (a: Operand, b: Operand) => op(opType, [value(a, b), value(b, a)]);
  const unary = (opType: Unary) => (x: Value) => op(opType, [x]);
  const mask = (condition: Value, like: Like) => op("Cast", [condition], { to: dataTypes[dtypeLike(like)].code });
  return {
    add: binary("Add"),
    sub: binary("Sub"),
    mul: binary("Mul"),
    div: binary("Div"),
    pow: binary("Pow"),
    min: binary("Min"),
    max: binary("Max"),
    equal: binary("Equal"),
    less: binary("Less"),
    greater: binary("Greater"),
    and: (a, b) => op("And", [a, b]),
    not: unary("Not"),
    where: (condition, a, b) => op("Where", [condition, value(a, b), value(b, a)]),
    neg: unary("Neg"),
    abs: unary("Abs"),
    sqrt: unary("Sqrt"),
    exp: unary("Exp"),
    log: unary("Log"),
    relu: unary("Relu"),
    sigmoid: unary("Sigmoid"),
    tanh: unary("Tanh"),
    softmax: (x, axis) => op("Softmax", [x], { axis }),
    matmul: (a, b) => op("MatMul", [a, b]),
    cast: (x, like) => (dtypeOf(x) === dtypeLike(like) ? x : mask(x, like)),
    mask,
    number: (x, like) => number(x, dtypeLike(like)),
  } satisfies Partial<Formulas>;
}

function movement({ op, ints }: FormulaContext) {
  return {
    concat: (parts, axis) => op("Concat", parts, { axis }),
    gather: (x, indices, axis) => op("Gather", [x, indices], { axis }),
    slice: (x, starts, ends, axes) => op("Slice", [x, ints(starts), ints(ends), ints(axes)]),
    reshape: (x, dims) => op("Reshape", [x, ints(dims)]),
    transpose: (x, perm) => op("Transpose", [x], { perm }),
    unsqueeze: (x, axes) => op("Unsqueeze", [x, ints(axes)]),
    squeeze: (x, axes) => op("Squeeze", [x, ints(axes)]),
    shape: (x) => op("Shape", [x]),
    expand: (x, shape) => op("Expand", [x, shape]),
    ints,
  } satisfies Partial<Formulas>;
}

function reductions({ op, ints, axes: where = "absent" }: FormulaContext) {
  const all = (x: Value): Inputs => (where === "empty" ? [x, undefined] : [x]);
  const reduce =
    (opType: "ReduceSum" | "ReduceMean") =>
    (x: Value, axes?: readonly number[], keep = false) =>
      axes?.length === 0 ? x : op(opType, axes ? [x, ints(axes)] : all(x), { keepdims: keep });
  return { sum: reduce("ReduceSum"), mean: reduce("ReduceMean") } satisfies Partial<Formulas>;
}
