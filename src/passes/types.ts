/** @file What inference knows about a model, computed once per model object. */
import type { Model, Value, ValueType } from "../ir/index.ts";
import { type Inference, inferModel } from "../ops/index.ts";

const known = new WeakMap<Model, Inference>();

/** The inference over a model; remembered, because several passes ask for the same model's. */
export function inferenceOf(model: Model): Inference {
  const found = known.get(model) ?? inferModel(model);
  known.set(model, found);
  return found;
}

/** Inferred types by value, computed when the first one is asked for. */
export function typesIn(model: Model): (value: Value) => ValueType | undefined {
  return (value) => inferenceOf(model).types.get(value);
}
