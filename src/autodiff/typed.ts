/** @file What gradient rules ask of values: their types, which must be known. */
import { UnsupportedError } from "../errors.ts";
import type { DataType, Dims, TensorType, Value } from "../ir/index.ts";

/** @param value may be an optional input or output that the node does not have: no rule may count on one. */
export function typeOf(value: Value | undefined): TensorType {
  if (!value) throw new UnsupportedError("a gradient needs an input or output that the node does not have");
  if (value.type?.kind === "tensor") return value.type;
  throw new UnsupportedError("a gradient needs the type of a value that is not known", {
    where: `value "${value.name}"`,
    hint: "Give the model's inputs their dtypes and dims, and run infer-shapes.",
  });
}

export function dimsOf(value: Value | undefined): Dims {
  const known = typeOf(value).dims;
  if (known) return known;
  throw new UnsupportedError("a gradient needs the rank of a value that is not known", {
    where: `value "${value?.name}"`,
    hint: "Give the model's inputs their dims, and run infer-shapes.",
  });
}

/** `undefined` where not even the rank is known. */
export function knownDims(value: Value | undefined): Dims | undefined {
  return typeOf(value).dims;
}

export function dtypeOf(value: Value | undefined): DataType {
  return typeOf(value).dtype;
}

export function isStatic(dims: Dims): dims is readonly number[] {
  return dims.every((dim) => typeof dim === "number");
}
