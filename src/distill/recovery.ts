/** @file Distillation that wins back what a change of the network lost: the original teaches its own answers. */
import type { Model } from "../ir/index.ts";
import { inferShapes } from "../ops/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import { adamw, answerScores, areClasses } from "../train/index.ts";
import { type DistillOptions, distillOptionsNames } from "./distill.ts";
import { type DistillationLoss, features, softTargets } from "./losses/index.ts";

export interface Answers {
  /** The value that answers are: the output of classes, else any, behind most of the network; the logits where that is their softmax. */
  readonly output: string;
  /** Scores of classes [N, C], or numbers. */
  readonly areScores: boolean;
  /** Kullback-Leibler divergence of scores in nats, relative squared error of numbers. */
  readonly loss: DistillationLoss;
}

/** @throws UsageError for a model without outputs. */
export function answersOf(model: Model): Answers {
  const { graph } = inferShapes(model);
  const output = answerScores(graph);
  const areScores = areClasses(output);
  const pairs = [{ teacher: output.name, student: output.name }];
  return { output: output.name, areScores, loss: areScores ? softTargets() : features({ pairs }) };
}

type Defaulted = "optimizer" | "learningRate";

/** Settings that are left out: AdamW at 5e-4, a warm-up and a cosine, norm at most 1. */
export interface RecoveryOptions
  extends Omit<DistillOptions, "teacher" | "losses" | "output" | "teacherOutput" | "signal" | Defaulted>,
    Partial<Pick<DistillOptions, Defaulted>> {
  /** Of the soft targets; 2 by default. */
  readonly temperature?: number;
  /** Of the values in `pairs` against those of the original; 1 by default. */
  readonly featureWeight?: number;
}

const { teacher: _, losses: __, output: ___, teacherOutput: ____, signal: _____, ...shared } = distillOptionsNames;

export const recoveryOptionsNames: OptionNames<RecoveryOptions> = { ...shared, temperature: true, featureWeight: true };

/**
 * What `distill` needs so that a changed model follows the original: its answers, the values of the given names, which both models have,
 * and the labels where the data has them.
 */
export function recoveryFrom(original: Model, values: readonly string[], options: RecoveryOptions): DistillOptions {
  const { temperature = 2, featureWeight = 1, ...settings } = checkOptions(options, recoveryOptionsNames);
  const { output, areScores, loss } = answersOf(original);
  const pairs = values.map((name) => ({ teacher: name, student: name }));
  return {
    optimizer: adamw({ weightDecay: 0.01 }),
    learningRate: 5e-4,
    schedule: "warmup",
    clip: 1,
    ...(areScores && settings.data.labels !== undefined && { loss: "crossEntropy" }),
    ...settings,
    teacher: original,
    output,
    teacherOutput: output,
    losses: [
      areScores ? softTargets({ temperature }) : loss,
      ...(pairs.length > 0 ? [features({ pairs, weight: featureWeight })] : []),
    ],
  };
}
