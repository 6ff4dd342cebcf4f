/** @file Annealed targets of one of several tasks: Clark et al., "BAM! Born-again multi-task networks" (2019), arXiv:1907.04829. */
import type { Value } from "../../ir/index.ts";
import type { StepBuilder } from "../../train/index.ts";
import { checkLogits, type DistillationLoss, dimsOf, type Pair } from "./distillation-loss.ts";

/** What the samples and the run say of a batch. */
export interface TaskInputs {
  /** int64 [batch]: the task of each sample, and its class in that task. */
  readonly task: Value;
  readonly label: Value;
  /** λ, the share of the labels in what is learned. */
  readonly labelShare: Value;
}

export interface AnnealedOptions extends TaskInputs {
  readonly name: string;
  /** The number of the task. */
  readonly of: number;
  readonly pair: Pair;
}

/** Of the samples of one task: the cross entropy of softmax(s) and λ · label + (1 − λ) · softmax(t), summed over them, by the size of the batch. */
export function annealedTargets({ name, of, pair, task, label, labelShare }: AnnealedOptions): DistillationLoss {
  return {
    name,
    pairs: [pair],
    build: (_, __, value) => value,
    remember: (g, { teacher, student }) => ({
      value: annealed(g, { teacher, student, of, task, label, labelShare }),
      parameters: new Map(),
      carried: [],
      fed: [task, label, labelShare],
      driven: [],
    }),
  };
}

type Annealed = TaskInputs & Pick<AnnealedOptions, "of"> & { readonly teacher: Value; readonly student: Value };

export function annealed(g: StepBuilder, { teacher, student, of, task, label, labelShare }: Annealed): Value {
  checkLogits("annealed targets", teacher, student);
  const classes = g.ints(Array.from({ length: Number(dimsOf(student)[1]) }, (_, i) => i));
  const sure = g.mask(g.equal(g.unsqueeze(label, [1]), classes), student);
  const target = g.add(g.mul(sure, labelShare), g.mul(g.softmax(teacher, 1), g.sub(1, labelShare)));
  const each = g.neg(g.sum(g.mul(target, g.op("LogSoftmax", [student], { axis: 1 })), [1]));
  const own = g.mask(g.equal(task, g.number(of, "int64")), student);
  return g.mean(g.mul(each, own));
}
