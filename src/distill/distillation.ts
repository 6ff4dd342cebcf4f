/** @file Distillation as an algorithm: a run trains teacher and student in one step graph, and hands out the student. */
import { UsageError } from "../errors.ts";
import { isSparse, type Model, storedWeights, type Tensor } from "../ir/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import {
  type Algorithm,
  chooseParameters,
  type Loss,
  type LossName,
  losses,
  type Preparation,
  type Selection,
  type TrainingStepOptions,
  withParameters,
} from "../train/index.ts";
import { type JointModel, type JointOptions, jointModel, jointOptionsNames } from "./joint-model.ts";

/** The student's output is that of the run. */
export interface DistillationOptions extends Omit<JointOptions, "output"> {
  /** α, the factor of the loss over labels; 1 when absent. Without a loss the data needs no labels. */
  readonly labelWeight?: number;
}

const { output: _, ...jointNames } = jointOptionsNames;

export const distillationOptionsNames: OptionNames<DistillationOptions> = { ...jointNames, labelWeight: true };

/**
 * Minimises α · loss(student, labels) + Σ weight · distillation loss(teacher, student). The teacher is a part of the step graph, in inference
 * form and fixed: nothing of it has to be stored, and any of its values can be compared.
 *
 * @throws in the run: what `jointModel` throws.
 */
export function distillation(options: DistillationOptions): Algorithm {
  const { labelWeight = 1, ...joined } = checkOptions(options, distillationOptionsNames);
  return {
    name: "distillation",
    start() {
      let student: Model | undefined;
      return {
        prepare(prepared) {
          student = storedWeights(prepared.model);
          return besideTeacher(student, prepared, joined, labelWeight);
        },
        result: (model) => withParameters(student!, tensorsOf(model)),
      };
    },
  };
}

function besideTeacher(
  student: Model,
  { step, drive }: Preparation,
  options: Omit<DistillationOptions, "labelWeight">,
  labelWeight: number,
): Preparation {
  const { freeze: _, loss, output, ...rest } = step;
  const joint = jointModel(student, { ...options, ...(output !== undefined && { output }) });
  return {
    model: joint.model,
    drive: Object.keys(joint.drives).length === 0 ? drive : { ...drive, ...joint.drives },
    step: {
      ...rest,
      ...(loss && { loss: scaled(loss, labelWeight) }),
      output: joint.output,
      terms: [...joint.terms, ...(step.terms ?? [])],
      trainable: trainableIn(student, joint, step),
      carry: { ...step.carry, ...joint.carry },
      inference: ({ name }) => joint.teacherNodes.has(name),
    },
  };
}

function trainableIn(
  student: Model,
  { projections }: JointModel,
  selection: Pick<TrainingStepOptions, "trainable" | "freeze">,
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
