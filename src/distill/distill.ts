/** @file Distillation: a student learns from a teacher, and from labels where there are any, in one step graph. */
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

/** As for `fit`; `terms` are further ones, over outputs of the student. */
export interface DistillOptions
  extends Omit<FitOptions, "output" | "inference">,
    DistillationOptions,
    Pick<JointOptions, "output"> {}

const { inference: _, ...fitNames } = fitOptionsNames;

export const distillOptionsNames: OptionNames<DistillOptions> = { ...fitNames, ...distillationOptionsNames };

/**
 * `fit` with the algorithm `distillation`: its events tell every distillation loss as a term, its result is the student alone.
 *
 * @throws as `fit` does; through `result`: what `jointModel` throws, too.
 */
export function distill(student: Model, options: DistillOptions): Run<TrainEvent, TrainResult> {
  checkOptions(options, distillOptionsNames);
  const teaching = distillation(pickOptions<DistillationOptions>(options, distillationOptionsNames));
  const own = pickOptions<FitOptions>(options, fitOptionsNames);
  return fit(student, { ...own, algorithms: [teaching, ...(options.algorithms ?? [])] });
}

export type DistillationGap = JointOptions & Omit<EvaluateOptions, "terms" | "output">;

/**
 * How far a student is from a teacher: every distillation loss by its name, and the metrics, as means over the data.
 * Labels are read only by a `loss` and its metrics.
 */
export async function distillationGap(student: Model, options: DistillationGap): Promise<Record<string, number>> {
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
