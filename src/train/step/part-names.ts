/** @file How the parts of a step are named to those who run it. */
import type { LossNames, StateTensor, UpdateNames } from "./step.ts";
import type { StepParts } from "./step-parts.ts";
import type { NextSlot } from "./update-part.ts";

export function lossNames({ batch, objective, maskKey, graph }: StepParts): LossNames {
  const { labels, labelDomain, prediction, total, terms } = objective;
  return {
    batch: batch.map(({ name }) => name),
    ...(labels && { labels: labels.name }),
    ...(labelDomain && { labelDomain }),
    ...(maskKey && { maskKey: maskKey.name }),
    loss: total.name,
    terms: terms.map(({ name, value }) => ({ name, output: value.name })),
    outputs: graph.outputs.map(({ name }) => name),
    prediction: prediction.name,
  };
}

export function updateNames({ controls, accumulate, gradientNorm }: StepParts): UpdateNames {
  const { learningRate, step, apply } = controls;
  return {
    learningRate: learningRate.name,
    step: step.name,
    ...(apply && { apply: apply.name }),
    accumulate,
    ...(gradientNorm && { gradientNorm: gradientNorm.name }),
  };
}

export function stateTensor({ value, next, kind, of, initial }: NextSlot): StateTensor {
  return {
    name: value.name,
    output: next.name,
    kind,
    initial,
    ...(kind !== "loss-scale" && of !== undefined && { of }),
  };
}
