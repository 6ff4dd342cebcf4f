/** @file Many teachers of one task each, one student with a head for each: Clark et al., "BAM! Born-again multi-task networks" (2019), arXiv:1907.04829. */
import { nth } from "../checked.ts";
import { type Dataset, mixture, type Sample } from "../data/index.ts";
import { DataError, UsageError } from "../errors.ts";
import { type Model, tensorFromNumbers, tensorType, type Value } from "../ir/index.ts";
import { checkOptions, type OptionNames, pickOptions } from "../options.ts";
import type { Run } from "../runtime/index.ts";
import {
  type Drive,
  type FitOptions,
  fit,
  fitOptionsNames,
  type TrainEvent,
  type TrainResult,
} from "../train/index.ts";
import { distillation } from "./distillation.ts";
import { together } from "./ensemble.ts";
import { annealedTargets, type TaskInputs } from "./losses/annealed-targets.ts";

export interface Task {
  /** Under which its loss is told. */
  readonly name: string;
  /** Trained on this task alone, with the student's inputs. */
  readonly teacher: Model;
  /** With classes as labels. */
  readonly data: Dataset;
  /** The student's value that is its logits of this task, and that of the teacher; the output that its answers are when absent. */
  readonly output: string;
  readonly teacherOutput?: string;
}

/** As for `fit`; `epochs` counts the samples of all tasks together. */
export interface MultiTaskOptions
  extends Omit<
    FitOptions,
    "data" | "labels" | "loss" | "output" | "evaluate" | "inference" | "monitor" | "restoreBest"
  > {
  readonly tasks: readonly Task[];
  /** λ, the share of the labels in what is learned: from 0 to 1 over the run when absent (teacher annealing), or the same throughout. */
  readonly labelShare?: number;
  /** A task of n samples is drawn in proportion to n to this power; 0.75 by default, as published. */
  readonly power?: number;
}

const { data: _, labels: __, loss: ___, output: ____, evaluate: _____, inference: ______, ...shared } = fitOptionsNames;
const { monitor: _______, restoreBest: ________, ...fitNames } = shared;

const multiTaskOptionsNames: OptionNames<MultiTaskOptions> = {
  ...fitNames,
  tasks: true,
  labelShare: true,
  power: true,
};

/**
 * Trains the student on all tasks at once. A sample is drawn from one task, and only that task's head learns from it: the cross entropy with
 * λ · label + (1 − λ) · teacher. At first the student follows the teachers, in the end the labels.
 *
 * @throws UsageError for fewer than two tasks or a share out of range; DataError for samples without labels; what `fit` and `distillation` throw.
 */
export function multiTask(student: Model, options: MultiTaskOptions): Run<TrainEvent, TrainResult> {
  const {
    tasks,
    labelShare,
    power = 0.75,
    epochs,
    seed = 0,
    algorithms = [],
  } = checkOptions(options, multiTaskOptionsNames);
  checkTasks(tasks, labelShare);
  const inputs = taskInputs(student);
  const teachers = tasks.map(({ teacher }) => teacher);
  const { whole, answers } = together(
    teachers,
    tasks.map(({ teacherOutput }) => teacherOutput),
  );
  const losses = tasks.map(({ name, output }, of) => {
    return annealedTargets({ ...inputs, name, of, pair: { teacher: nth(answers, of).name, student: output } });
  });
  const total = tasks.reduce((sum, { data }) => sum + data.size, 0);
  const data = mixture(
    tasks.map((task) => task.data),
    { size: total * epochs, power, seed },
    (sample, of) => labelled(sample, of, nth(tasks, of).name),
  );
  const share = { [inputs.labelShare.name]: labelShareDrive(labelShare) };
  const output = nth(tasks, 0).output;
  return fit(student, {
    ...pickOptions<FitOptions>({ ...options, data, epochs: 1 }, fitOptionsNames),
    output,
    drive: { ...options.drive, ...share },
    algorithms: [distillation({ teacher: whole, losses }), ...algorithms],
  });
}

function checkTasks(tasks: readonly Task[], labelShare: number | undefined): void {
  if (tasks.length < 2)
    throw new UsageError("there are too few tasks", { expected: "2 or more", got: `${tasks.length}` });
  if (labelShare === undefined || (labelShare >= 0 && labelShare <= 1)) return;
  throw new UsageError("the share of the labels is out of range", { expected: "0 to 1", got: String(labelShare) });
}

const [TASK, LABEL, SHARE] = ["distillation/task", "distillation/label", "distillation/label-share"] as const;

function taskInputs({ graph }: Model): TaskInputs {
  const [first] = graph.inputs.filter((value) => !graph.initializers.has(value));
  const batch = first?.type?.kind === "tensor" ? first.type.dims?.[0] : undefined;
  const perSample = (name: string): Value => ({ name, type: tensorType("int64", [batch ?? "batch"]) });
  return {
    task: perSample(TASK),
    label: perSample(LABEL),
    labelShare: { name: SHARE, type: tensorType("float32", []) },
  };
}

/** A sample of a task, as the inputs of the step take it. */
function labelled(sample: Sample, task: number, name: string): Sample {
  const { label, inputs, source } = sample;
  if (label === undefined) throw new DataError("a sample has no label", { where: `${source}, task ${name}` });
  const index = (x: number) => tensorFromNumbers("int64", [], [x]);
  return { inputs: new Map([...inputs, [TASK, index(task)], [LABEL, index(label)]]), source };
}

/** λ of an update: linear from 0 to 1, or one share throughout; 1 where the student is evaluated. */
export function labelShareDrive(share: number | undefined): Drive {
  const scalar = (x: number) => tensorFromNumbers("float32", [], [x]);
  return {
    train: ({ update, updates }) => scalar(share ?? (updates > 1 ? update / (updates - 1) : 1)),
    evaluate: scalar(1),
  };
}
