/** @file Distillation: a student learns from a teacher, and from labels where there are any, in one step graph. */
import type { Dataset } from "../data/index.ts";
import { UsageError } from "../errors.ts";
import type { Model } from "../ir/index.ts";
import { checkOptions, type OptionNames, pickOptions } from "../options.ts";
import type { Run } from "../runtime/index.ts";
import {
  type EvaluateOptions,
  evaluateModel,
  evaluateOptionsNames,
  type FitOptions,
  fit,
  fitOptionsNames,
  predictedOutput,
  type TrainEvent,
  type TrainResult,
} from "../train/index.ts";
import { type DistillationOptions, distillation, distillationOptionsNames } from "./distillation.ts";
import { type JointOptions, jointModel, jointOptionsNames } from "./joint-model.ts";
import { type AnswerCache, keptAnswers } from "./kept-answers.ts";
import { heldOutFor, samplesFor } from "./samples-for.ts";

/** As for `fit`; `terms` are further ones, over outputs of the student. */
export interface DistillOptions
  extends Omit<FitOptions, "output" | "inference">,
    DistillationOptions,
    Pick<JointOptions, "output"> {
  /** Keeps the teacher's answers on disk, so that it runs once per sample and is no part of the steps. Not with `augment`. Node only. */
  readonly cache?: AnswerCache;
}

const { inference: _, ...fitNames } = fitOptionsNames;

export const distillOptionsNames: OptionNames<DistillOptions> = {
  ...fitNames,
  ...distillationOptionsNames,
  cache: true,
};

/**
 * `fit` with the algorithm `distillation`: its events tell every distillation loss as a term, its result is the student alone.
 *
 * @throws as `fit` does; through `result`: what `jointModel` throws, too.
 */
export function distill(student: Model, options: DistillOptions): Run<TrainEvent, TrainResult> {
  checkOptions(options, distillOptionsNames);
  const { losses, evaluate, cache } = options;
  const joint = pickOptions<DistillationOptions>(options, distillationOptionsNames);
  const own = pickOptions<FitOptions>(options, fitOptionsNames);
  const kept = cache && keeping(student, options, cache);
  const data = samplesFor(losses, options.data);
  const held = evaluate && heldOutFor(losses, evaluate.data);
  return fit(student, {
    ...own,
    data: kept?.(data, "training") ?? data,
    ...(evaluate && held && { evaluate: { ...evaluate, data: kept?.(held, "evaluation") ?? held } }),
    algorithms: [distillation({ ...joint, ...(kept && { answersAreFed: true }) }), ...(options.algorithms ?? [])],
  });
}

/** How data is read where the teacher's answers are kept. */
function keeping(
  student: Model,
  options: DistillOptions,
  cache: AnswerCache,
): (data: Dataset, name: string) => Dataset {
  const { augment = [], workers = 0, teacher, batch, open, session, signal } = options;
  if (augment.length > 0) {
    throw new UsageError("kept answers are for samples as they are, and augmentation changes them every time", {
      expected: "cache without augment",
      hint: "Leave the teacher in the step graph, or train on the samples as they are.",
    });
  }
  if (workers > 0)
    throw new UsageError("kept answers are read in this thread", { expected: "workers 0", got: `${workers}` });
  const values = async () => jointModel(student, await jointOptionsFor(student, options)).answers;
  const size = batch ?? fixedBatchOf(student) ?? 32;
  return (data, name) =>
    keptAnswers(data, { ...cache, student, teacher, values, name, batch: size, open, session, signal });
}

/** The number of samples that the student takes at once, where it takes one number only. */
function fixedBatchOf({ graph }: Model): number | undefined {
  const inputs = graph.inputs.filter((value) => !graph.initializers.has(value));
  const lengths = inputs.map(({ type }) => (type?.kind === "tensor" ? type.dims?.[0] : undefined));
  return lengths.find((length) => typeof length === "number");
}

export type DistillationGap = JointOptions & Omit<EvaluateOptions, "terms" | "output">;

/**
 * How far a student is from a teacher: every distillation loss by its name, and the metrics, as means over the data.
 * Labels are read only by a `loss` and its metrics. Losses with a memory have no value here.
 */
export async function distillationGap(student: Model, given: DistillationGap): Promise<Record<string, number>> {
  const options = { ...given, losses: given.losses.filter(({ remember }) => remember === undefined) };
  if (options.losses.length === 0 && options.loss === undefined) return {};
  const read = pickOptions<EvaluateOptions>(options, evaluateOptionsNames);
  const { model, output, terms } = jointModel(student, await jointOptionsFor(student, options));
  const { loss: _, ...gaps } = await evaluateModel(model, { ...read, output, terms });
  return gaps;
}

/** A loss over labels reads the output that they fit, and so do the losses over the teacher. */
async function jointOptionsFor(
  student: Model,
  options: JointOptions & Pick<EvaluateOptions, "data" | "loss">,
): Promise<JointOptions> {
  const output = await predictedOutput(student, options.data, options);
  return { ...pickOptions<JointOptions>(options, jointOptionsNames), ...(output !== undefined && { output }) };
}
