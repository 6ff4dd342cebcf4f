/** @file Distillation: a student learns from a teacher, and from labels where there are any, in one step graph. */
import { UsageError } from "../errors.ts";
import { isSparse, type Model, storedWeights, type Tensor } from "../ir/index.ts";
import { checkOptions, type OptionNames, pickOptions } from "../options.ts";
import { type Run, startRun } from "../runtime/index.ts";
import {
  chooseParameters,
  type EvaluateOptions,
  evaluateModel,
  evaluateOptionsNames,
  type FitOptions,
  fit,
  fitOptionsNames,
  type Loss,
  type LossName,
  losses,
  predictedOutput,
  type Selection,
  type TrainEvent,
  type TrainResult,
  withParameters,
} from "../train/index.ts";
import { type JointModel, type JointOptions, jointModel, jointOptionsNames } from "./joint-model.ts";

/** As for `fit`; `terms` are further ones, over outputs of the student. */
export interface DistillOptions extends Omit<FitOptions, "output" | "inference">, JointOptions {
  /** α, the factor of the loss over labels; 1 when absent. Without a `loss` the data needs no labels. */
  readonly labelWeight?: number;
}

const { inference: _, ...fitNames } = fitOptionsNames;

export const distillOptionsNames: OptionNames<DistillOptions> = {
  ...fitNames,
  ...jointOptionsNames,
  labelWeight: true,
};

/**
 * Minimises α · loss(student, labels) + Σ weight · distillation loss(teacher, student). The teacher is a part of the
 * step graph, in inference form and fixed: nothing of it has to be stored, and any of its values can be compared. A run
 * as `fit` is; its events tell every distillation loss as a term, its result is the student alone.
 *
 * @throws through `result`: what `jointModel` and `fit` throw.
 */
export function distill(given: Model, options: DistillOptions): Run<TrainEvent, TrainResult> {
  checkOptions(options, distillOptionsNames);
  const student = storedWeights(given);
  const { teacher: _, losses: __, teacherOutput: ___, labelWeight = 1, loss, signal, freeze: ____, ...rest } = options;
  return startRun<TrainEvent, TrainResult>(
    async (scope) => {
      const joint = jointModel(student, await jointOptionsFor(student, options));
      const run = fit(joint.model, {
        ...rest,
        ...(loss && { loss: scaled(loss, labelWeight) }),
        output: joint.output,
        terms: [...joint.terms, ...(options.terms ?? [])],
        trainable: trainableIn(student, joint, options),
        inference: ({ name }) => joint.teacherNodes.has(name),
        signal: scope.signal,
      });
      for await (const event of run) scope.emit(event);
      const { model, report } = await run.result;
      return { model: withParameters(student, tensorsOf(model)), report };
    },
    signal ? { signal } : {},
  );
}

export type DistillationGap = JointOptions & Omit<EvaluateOptions, "terms" | "output">;

/**
 * How far a student is from a teacher: every distillation loss by its name, and the metrics, as means over the data.
 * Labels are read only by a `loss` and its metrics.
 */
export async function distillationGap(student: Model, options: DistillationGap): Promise<Record<string, number>> {
  const read = pickOptions<EvaluateOptions>(options, evaluateOptionsNames);
  const { model, output, terms } = jointModel(student, await jointOptionsFor(student, options));
  const { loss: ____, ...gaps } = await evaluateModel(model, { ...read, output, terms });
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

function trainableIn(
  student: Model,
  { projections }: JointModel,
  selection: Pick<FitOptions, "trainable" | "freeze">,
): Selection {
  const chosen = chooseParameters(student.graph, selection, new Set()).map(({ value }) => value.name);
  const names = new Set([...chosen, ...projections]);
  return ({ name }) => names.has(name);
}

function scaled(given: Loss | LossName, factor: number): Loss {
  if (!(factor >= 0 && Number.isFinite(factor))) {
    throw new UsageError("labelWeight is out of range", { expected: "0 or more", got: String(factor) });
  }
  const loss = typeof given === "string" ? losses[given]() : given;
  if (factor === 1) return loss;
  return { ...loss, build: (g, prediction, labels) => g.mul(loss.build(g, prediction, labels), factor) };
}

function tensorsOf({ graph }: Model): Map<string, Tensor> {
  const dense = [...graph.initializers].flatMap(([{ name }, data]) => (isSparse(data) ? [] : [[name, data] as const]));
  return new Map(dense);
}
