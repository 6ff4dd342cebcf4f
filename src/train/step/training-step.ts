/** @file The training step: from a model to one ordinary graph that takes a batch and gives the next parameters. */
import { type Model, withGraph } from "../../ir/index.ts";
import { lossNames, stateTensor, updateNames } from "./part-names.ts";
import type { TrainingStep, TrainingStepOptions } from "./step.ts";
import { type StepParts, stepParts } from "./step-parts.ts";

/**
 * Differentiates a model under a loss and adds the optimizer's update. Weights in `Constant` nodes count as initializers.
 *
 * @throws UsageError for a model of another opset, an unknown output or nothing to train; UnsupportedError, naming the
 * node, where an operator has no gradient.
 */
export function trainingStep(model: Model, options: TrainingStepOptions): TrainingStep {
  const parts = stepParts(model, options, { cut: false });
  const { maskKey, loss, terms, outputs, prediction, ...data } = lossNames(parts);
  const { apply, accumulate, gradientNorm, ...controls } = updateNames(parts);
  return {
    model: parts.profile.lower(wholeModel(parts)),
    ...data,
    ...controls,
    ...(maskKey !== undefined && { maskKey }),
    ...(apply !== undefined && { apply }),
    accumulate,
    loss,
    terms,
    outputs,
    prediction,
    ...(gradientNorm !== undefined && { gradientNorm }),
    state: parts.slots.map(stateTensor),
  };
}

function wholeModel({ typed, graph, batch, objective, maskKey, controls, gradientNorm, slots }: StepParts): Model {
  const { learningRate, step, apply } = controls;
  const fed = [...batch, objective.labels, learningRate, step, maskKey, apply].filter((value) => value !== undefined);
  return {
    ...withGraph(typed, {
      ...graph,
      name: "training_step",
      inputs: [...fed, ...slots.map(({ value }) => value)],
      outputs: [
        objective.total,
        ...graph.outputs,
        ...objective.terms.map(({ value }) => value),
        ...(gradientNorm ? [gradientNorm] : []),
        ...slots.map(({ next }) => next),
      ],
    }),
    docString: "A training step made by lithe.",
  };
}
