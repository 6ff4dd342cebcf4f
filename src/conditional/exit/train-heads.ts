/** @file Classifiers of exits learn from the answers of the network that they stand in, and from labels where there are any. */
import type { Dataset } from "../../data/index.ts";
import { checkOptions, type OptionNames } from "../../options.ts";
import type { Run } from "../../runtime/index.ts";
import {
  adamw,
  type FitOptions,
  fit,
  klDivergence,
  type LossTerm,
  type TrainEvent,
  type TrainResult,
} from "../../train/index.ts";
import { type ExitModel, exitTerms } from "./add-exits.ts";

export interface HeadTraining
  extends Pick<FitOptions, "batch" | "checkpoint" | "epochs" | "resume" | "seed" | "session" | "signal"> {
  readonly data: Dataset;
  /** Name of the whole network's logits. */
  readonly output: string;
  /** 0.002 by default. */
  readonly learningRate?: number;
  /** T of the soft targets; 2 by default. */
  readonly temperature?: number;
}

const headTrainingNames: OptionNames<HeadTraining> = {
  data: true,
  output: true,
  epochs: true,
  learningRate: true,
  temperature: true,
  batch: true,
  checkpoint: true,
  resume: true,
  seed: true,
  session: true,
  signal: true,
};

/**
 * Trains the parameters of the heads alone, the network as it is: Σₖ T² · KL(softmax(z / T) ‖ softmax(eₖ / T)), with z the logits of the whole
 * network and eₖ those of exit k, and Σₖ of their cross entropy where the data has labels.
 *
 * @throws through `result`: what `fit` throws.
 */
export function trainHeads(exits: ExitModel, options: HeadTraining): Run<TrainEvent, TrainResult> {
  const { output, temperature = 2, learningRate = 0.002, ...rest } = checkOptions(options, headTrainingNames);
  const isLabelled = rest.data.labels !== undefined;
  return fit(exits.model, {
    ...rest,
    output,
    learningRate,
    ...{ optimizer: adamw({ weightDecay: 0.01 }), schedule: "warmup", clip: 1 },
    ...{ trainable: exits.exits.map((_, i) => `exit${i}/*`), batchNorm: "frozen", dropout: "off" },
    ...(isLabelled && { loss: "crossEntropy" }),
    terms: [
      ...exits.exits.map((name) => towards(name, output, temperature)),
      ...(isLabelled ? exitTerms(exits, "crossEntropy") : []),
    ],
  });
}

function towards(exit: string, whole: string, temperature: number): LossTerm {
  return {
    name: `${exit} from answers`,
    weight: temperature ** 2,
    build(g, context) {
      const target = g.softmax(g.div(context.output(whole), temperature), 1);
      return klDivergence().build(g, g.div(context.output(exit), temperature), target);
    },
  };
}
