/** @file How far a changed model's answers are from those of the original. */
import type { Dataset } from "../data/index.ts";
import { type DistillationLoss, distillationGap, features, softTargets } from "../distill/index.ts";
import { UsageError } from "../errors.ts";
import { type Model, producerOf } from "../ir/index.ts";
import { inferModel } from "../ops/index.ts";
import type { OpenSession, SessionOptions } from "../runtime/index.ts";

export interface JudgeOptions {
  readonly data: Dataset;
  /** Samples per run; 64 by default. */
  readonly batch?: number;
  readonly session?: SessionOptions;
  readonly open?: OpenSession;
  readonly signal?: AbortSignal;
}

export interface Answers {
  /** The value that answers are: the first output, or the logits where that is their softmax. */
  readonly output: string;
  /** Scores of classes [N, C], or numbers. */
  readonly areScores: boolean;
  /** Kullback-Leibler divergence of scores in nats, relative squared error of numbers. */
  readonly loss: DistillationLoss;
}

export function answersOf(model: Model): Answers {
  const [first] = model.graph.outputs;
  if (!first) throw new UsageError("a model without outputs gives no answers");
  const producer = producerOf(model.graph, first);
  const output = (producer?.opType === "Softmax" && producer.inputs[0]) || first;
  const type = inferModel(model).types.get(output) ?? output.type;
  const dims = type?.kind === "tensor" ? type.dims : undefined;
  const areScores = dims?.length === 2 && dims[1] !== 1;
  const pairs = [{ teacher: output.name, student: output.name }];
  return { output: output.name, areScores, loss: areScores ? softTargets() : features({ pairs }) };
}

export interface Judgement {
  /** Mean divergence of the answers: nats for scores, relative squared error for numbers. */
  readonly divergence: number;
  /** Share of right classes; with labels and scores only. */
  readonly accuracy?: number;
}

/** Runs both models over the data. */
export async function judge(original: Model, changed: Model, options: JudgeOptions): Promise<Judgement> {
  const { output, loss, areScores } = answersOf(original);
  const isLabelled = areScores && options.data.labels !== undefined;
  const gaps = await distillationGap(changed, {
    ...options,
    teacher: original,
    output,
    teacherOutput: output,
    losses: [loss],
    ...(isLabelled && { loss: "crossEntropy", metrics: ["accuracy"] }),
  });
  return { divergence: gaps[loss.name]!, ...(isLabelled && { accuracy: gaps.accuracy! }) };
}
