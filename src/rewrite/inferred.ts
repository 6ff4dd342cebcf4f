/** @file What inference knows about a model, computed once per model object. */
import type { Model } from "../ir/index.ts";
import { type Inference, inferModel } from "../ops/index.ts";

const known = new WeakMap<Model, Inference>();
const knownApart = new WeakMap<Model, Inference>();

/** The inference over a model; remembered, because several passes ask for the same model's. */
export function inferenceOf(model: Model): Inference {
  const found = known.get(model) ?? inferModel(model);
  known.set(model, found);
  return found;
}

/** The same without trust in equal names of dims: for passes that must be right for every feed that the runtime takes. */
export function inferenceApart(model: Model): Inference {
  const found = knownApart.get(model) ?? inferModel(model, { apart: true });
  knownApart.set(model, found);
  return found;
}
