/** @file The way back: trained tensors in the place of a model's initializers. */
import { editModel, type Model, storedWeights, type Tensor } from "../../ir/index.ts";
import type { TrainingStep } from "../step/step.ts";

/** By the name of the initializer: running averages where the step keeps them, else parameters; and statistics. */
export function trainedTensors(step: TrainingStep, state: ReadonlyMap<string, Tensor>): Map<string, Tensor> {
  const tensors = new Map<string, Tensor>();
  for (const kind of ["parameter", "statistic", "average"]) {
    for (const entry of step.state) {
      if (entry.kind === kind && entry.of !== undefined) tensors.set(entry.of, state.get(entry.name)!);
    }
  }
  return tensors;
}

/** The model with other values for the initializers, and the constants of `Constant` nodes, of these names. */
export function withParameters(model: Model, tensors: ReadonlyMap<string, Tensor>): Model {
  return editModel(storedWeights(model), (draft) => {
    for (const value of draft.graph.initializers.keys()) {
      const next = tensors.get(value.name);
      if (next) draft.setInitializer(value, next);
    }
  });
}
