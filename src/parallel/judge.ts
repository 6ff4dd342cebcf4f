/** @file How far a changed model's answers are from those of the original. */
import type { Dataset } from "../data/index.ts";
import { answersOf, distillationGap } from "../distill/index.ts";
import type { Model } from "../ir/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import type { OpenSession, SessionOptions } from "../runtime/index.ts";

export interface JudgeOptions {
  readonly data: Dataset;
  /** Samples per run; 64 by default. */
  readonly batch?: number;
  readonly session?: SessionOptions;
  readonly open?: OpenSession;
  readonly signal?: AbortSignal;
}

export interface Judgement {
  /** Mean divergence of the answers: nats for scores, relative squared error for numbers. */
  readonly divergence: number;
  /** Share of right classes; with labels and scores only. */
  readonly accuracy?: number;
}

const judgeOptionsNames: OptionNames<JudgeOptions> = {
  data: true,
  batch: true,
  session: true,
  open: true,
  signal: true,
};

/** Runs both models over the data. */
export async function judge(original: Model, changed: Model, options: JudgeOptions): Promise<Judgement> {
  checkOptions(options, judgeOptionsNames);
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
