/** @file Inferred types of a model's values. */
import type { Model, Value, ValueType } from "../ir/index.ts";
import { inferenceApart, inferenceOf } from "./inferred.ts";

/** Inferred types by value, computed when the first one is asked for. */
export function typesIn(model: Model): (value: Value) => ValueType | undefined {
  return (value) => inferenceOf(model).types.get(value);
}

/** The same, where equal names of dims say nothing. */
export function typesApart(model: Model): (value: Value) => ValueType | undefined {
  return (value) => inferenceApart(model).types.get(value);
}
