/** @file Writing the formulas of a step into a graph: what is shared is made once. */
import { UsageError } from "../../errors.ts";
import {
  type DataType,
  type Dims,
  type Formulas,
  formulas,
  type GraphBuilder,
  int64s,
  type Operators,
  scalar,
  type Tensor,
  type TensorType,
  type Value,
} from "../../ir/index.ts";

export type ScalarType = "float64" | "float32";

/** Numbers and lists are made once; `op` adds what has no word. */
export interface StepBuilder extends Formulas, Pick<Operators<never>, "op"> {
  /** The builder underneath. */
  readonly raw: GraphBuilder;
  /** What scalars such as the corrections of an optimizer are computed in. */
  readonly scalars: ScalarType;
  /** Σ x² over all elements, a scalar. */
  sumOfSquares(x: Value): Value;
  constant(name: string, tensor: Tensor): Value;
  /** What `make` gives, made once per key in this builder. */
  shared(key: string, make: () => Value): Value;
  /** A builder of a subgraph. What was shared here is made anew there. */
  inside(): StepBuilder;
}

export function stepBuilder(raw: GraphBuilder, scalars: ScalarType = "float64"): StepBuilder {
  const made = new Map<string, Value>();
  const shared = (key: string, make: () => Value): Value => {
    const value = made.get(key) ?? make();
    made.set(key, value);
    return value;
  };
  return {
    ...formulas({
      op: raw.op,
      dtypeOf,
      axes: "empty",
      number: (x, dtype) => shared(`${dtype} ${x}`, () => raw.constant("number", scalar(dtype, x))),
      ints: (list) => shared(`ints ${list}`, () => raw.constant("ints", int64s(list))),
    }),
    raw,
    scalars,
    op: raw.op,
    shared,
    sumOfSquares: (x) => raw.op("ReduceSumSquare", [x, undefined], { keepdims: false }),
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
