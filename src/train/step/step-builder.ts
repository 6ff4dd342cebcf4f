/** @file Writing formulas into a graph: numbers are constants of the other operand's dtype, shared things are made once. */
import { UsageError } from "../../errors.ts";
import {
  type DataType,
  type Dims,
  dataTypes,
  type GraphBuilder,
  int64s,
  type Operators,
  scalar,
  type Tensor,
  type TensorType,
  type Value,
} from "../../ir/index.ts";

export type Operand = Value | number;

export type ScalarType = "float64" | "float32";

export interface StepBuilder extends Pick<Operators<never>, "op"> {
  /** The builder underneath. */
  readonly raw: GraphBuilder;
  /** What scalars such as the corrections of an optimizer are computed in. */
  readonly scalars: ScalarType;
  add(a: Operand, b: Operand): Value;
  sub(a: Operand, b: Operand): Value;
  mul(a: Operand, b: Operand): Value;
  div(a: Operand, b: Operand): Value;
  min(a: Operand, b: Operand): Value;
  max(a: Operand, b: Operand): Value;
  neg(x: Value): Value;
  sqrt(x: Value): Value;
  /** Sums over axes, or over all; without the axes unless `keep`. */
  sum(x: Value, axes?: readonly number[], keep?: boolean): Value;
  mean(x: Value, axes?: readonly number[], keep?: boolean): Value;
  /** Σ x² over all elements, a scalar. */
  sumOfSquares(x: Value): Value;
  cast(x: Value, dtype: DataType): Value;
  /** 1 where the condition holds, else 0. */
  mask(condition: Value, dtype: DataType): Value;
  /** A constant scalar. */
  number(dtype: DataType, x: number): Value;
  /** A constant list, for axes and shapes. */
  ints(list: readonly number[]): Value;
  constant(name: string, tensor: Tensor): Value;
  /** What `make` gives, made once per key in this builder. */
  shared(key: string, make: () => Value): Value;
  /** A builder of a subgraph. What was shared here is made anew there. */
  inside(): StepBuilder;
}

export function stepBuilder(raw: GraphBuilder, scalars: ScalarType = "float64"): StepBuilder {
  const made = new Map<string, Value>();
  const { op } = raw;
  const shared = (key: string, make: () => Value): Value => {
    const value = made.get(key) ?? make();
    made.set(key, value);
    return value;
  };
  const number = (dtype: DataType, x: number) =>
    shared(`${dtype} ${x}`, () => raw.constant("number", scalar(dtype, x)));
  const ints = (list: readonly number[]) => shared(`ints ${list}`, () => raw.constant("ints", int64s(list)));
  const binary = (opType: "Add" | "Sub" | "Mul" | "Div" | "Min" | "Max") => (a: Operand, b: Operand) => {
    const dtype = dtypeOf(typeof a === "number" ? (b as Value) : a);
    return op(
      opType,
      [a, b].map((x) => (typeof x === "number" ? number(dtype, x) : x)),
    );
  };
  const reduce =
    (opType: "ReduceSum" | "ReduceMean" | "ReduceSumSquare") =>
    (x: Value, axes?: readonly number[], keep = false) =>
      op(opType, [x, axes && ints(axes)], { keepdims: keep ? 1 : 0 });
  return {
    raw,
    scalars,
    op,
    shared,
    number,
    ints,
    add: binary("Add"),
    sub: binary("Sub"),
    mul: binary("Mul"),
    div: binary("Div"),
    min: binary("Min"),
    max: binary("Max"),
    neg: (x) => op("Neg", [x]),
    sqrt: (x) => op("Sqrt", [x]),
    sum: reduce("ReduceSum"),
    mean: reduce("ReduceMean"),
    sumOfSquares: (x) => reduce("ReduceSumSquare")(x),
    cast: (x, to) => (dtypeOf(x) === to ? x : op("Cast", [x], { to: dataTypes[to].code })),
    mask: (condition, to) => op("Cast", [condition], { to: dataTypes[to].code }),
    constant: (name, tensor) => raw.constant(name, tensor),
    inside: () => stepBuilder(raw.subgraph(), scalars),
  };
}

/** The type of a value that is known to be a tensor. */
export function tensorTypeOf(value: Value): TensorType {
  if (value.type?.kind === "tensor") return value.type;
  throw new UsageError("a value of the training step has no known type", {
    expected: "a tensor",
    where: `value ${JSON.stringify(value.name)}`,
    hint: "Give the model's inputs their dtypes and dims.",
  });
}

export function dtypeOf(value: Value): DataType {
  return tensorTypeOf(value).dtype;
}

/** The dims of a value whose rank is known. */
export function dimsOf(value: Value): Dims {
  const { dims } = tensorTypeOf(value);
  if (dims) return dims;
  throw new UsageError("a value of the training step has an unknown rank", {
    where: `value ${JSON.stringify(value.name)}`,
    hint: "Give the model's inputs their dims.",
  });
}
