/** @file The training step as two graphs, between which gradients can be exchanged, compressed or summed. */
import { type DataType, type Model, type Value, withGraph } from "../../ir/index.ts";
import { checkOptions } from "../../options.ts";
import { type Ends, partBetween } from "./part-between.ts";
import { lossNames, stateTensor, updateNames } from "./part-names.ts";
import type { LossNames, StateTensor, TrainingStepOptions, UpdateNames } from "./step.ts";
import { dimsOf, dtypeOf } from "./step-builder.ts";
import { type StepParts, stepParts } from "./step-parts.ts";
import type { NextSlot } from "./update-part.ts";

/** A tensor that crosses the seam: an output of the gradient graph and an input of the update graph, under one name. */
export interface GradientTensor {
  readonly name: string;
  /** The initializer of the model whose gradient it is. */
  readonly of: string;
  readonly dtype: DataType;
  readonly dims: readonly number[];
}

/** The names of a graph from a batch to gradients. */
export interface GradientGraph extends LossNames {
  readonly model: Model;
  /** Inputs that the update graph owns, by the names that they have there. */
  readonly parameters: readonly string[];
  /** The input by which the loss, and with it every gradient, is multiplied: the state of that name of the update graph. */
  readonly lossScale?: string;
  /** Of this batch alone; times the loss scale, where there is one. */
  readonly gradients: readonly GradientTensor[];
  /** Of inputs of the model that were asked for, where a gradient reaches them: the output of that name. */
  readonly inputGradients: readonly { readonly input: string; readonly name: string }[];
  /** Running statistics and carried initializers. They do not cross the seam: their outputs are the next inputs here. */
  readonly state: readonly StateTensor[];
}

/** The names of a graph from gradients to the next parameters. */
export interface UpdateGraph extends UpdateNames {
  readonly model: Model;
  /** As the gradient graph gives them, or what was made of them: their mean over ranks, for example. */
  readonly gradients: readonly GradientTensor[];
  /** Parameters, what the optimizer keeps of them, averages, sums of gradients, the loss scale. */
  readonly state: readonly StateTensor[];
}

export interface SplitOptions {
  /** Inputs of the model whose gradients the gradient graph gives beside those of parameters. */
  readonly inputs?: readonly string[];
}

export interface SplitStep {
  readonly gradients: GradientGraph;
  readonly update: UpdateGraph;
}

/**
 * The step of `trainingStep`, cut between gradients and update. What both take has one name in both. The norm that `clip` bounds and
 * the verdict of `lossScale` are those of the gradients that come in at the update.
 *
 * @throws as `trainingStep` does, and UsageError for an input that is none
 */
export function splitStep(model: Model, options: TrainingStepOptions, split: SplitOptions = {}): SplitStep {
  const parts = stepParts(model, options, { cut: true, ...checkOptions(split, { inputs: true }) });
  const seam = parts.gradients.map(({ parameter, gradient }) => gradientTensor(parameter, gradient));
  const isOfBatch = ({ kind }: NextSlot) => kind === "statistic";
  const [statistics, kept] = [parts.slots.filter(isOfBatch), parts.slots.filter((slot) => !isOfBatch(slot))];
  const { lossScale } = parts;
  return {
    gradients: {
      model: partModel(parts, gradientEnds(parts, statistics)),
      ...lossNames(parts),
      parameters: parts.gradients.map(({ parameter }) => parameter.name),
      ...(lossScale && { lossScale: lossScale.name }),
      gradients: seam,
      inputGradients: parts.inputGradients.map(({ input, gradient }) => ({ input: input.name, name: gradient.name })),
      state: statistics.map(stateTensor),
    },
    update: {
      model: partModel(parts, updateEnds(parts, kept)),
      ...updateNames(parts),
      gradients: seam,
      state: kept.map(stateTensor),
    },
  };
}

function gradientTensor(parameter: Value, gradient: Value): GradientTensor {
  const { name } = gradient;
  return { name, of: parameter.name, dtype: dtypeOf(gradient), dims: dimsOf(parameter) as readonly number[] };
}

function gradientEnds(parts: StepParts, statistics: readonly NextSlot[]): Ends {
  const { batch, objective, maskKey, lossScale, gradients, inputGradients, graph } = parts;
  const fed = [...batch, objective.labels, maskKey, lossScale].filter((value) => value !== undefined);
  return {
    name: "gradients",
    inputs: [...fed, ...gradients.map(({ parameter }) => parameter), ...statistics.map(({ value }) => value)],
    outputs: [
      objective.total,
      ...graph.outputs,
      ...objective.terms.map(({ value }) => value),
      ...gradients.map(({ gradient }) => gradient),
      ...inputGradients.map(({ gradient }) => gradient),
      ...statistics.map(({ next }) => next),
    ],
  };
}

function updateEnds({ controls, gradients, gradientNorm }: StepParts, kept: readonly NextSlot[]): Ends {
  const { learningRate, step, apply } = controls;
  return {
    name: "update",
    inputs: [
      ...gradients.map(({ gradient }) => gradient),
      learningRate,
      step,
      ...(apply ? [apply] : []),
      ...kept.map(({ value }) => value),
    ],
    outputs: [...(gradientNorm ? [gradientNorm] : []), ...kept.map(({ next }) => next)],
  };
}

function partModel({ typed, graph, profile }: StepParts, ends: Ends): Model {
  const part = withGraph(typed, partBetween(graph, ends));
  return profile.lower({ ...part, docString: "A part of a training step made by lithe." });
}
