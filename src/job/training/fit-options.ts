/** @file From a configuration to what the trainer is told. */
import { augmentations, type Dataset } from "../../data/index.ts";
import { type FitOptions, losses, optimizers, schedules } from "../../train/index.ts";
import { classCount } from "./class-count.ts";
import { chosen, made, nameOf, present } from "./named-choice.ts";
import type { TrainingConfig } from "./training-config.ts";

/** Disjoint parts of the samples. */
export interface TrainingData {
  readonly training: Dataset;
  readonly validation: Dataset;
}

/** @throws UsageError for names and settings that do not exist, before anything is loaded */
export function fitOptions(config: TrainingConfig): Omit<FitOptions, "data"> {
  const { epochs, batch, learningRate, output, trainable, freeze, decayExclude, clip, accumulate, average } = config;
  const { lossScale, precision, batchNorm, dropout, earlyStopping, restoreBest, monitor, stepsPerRun, workers } =
    config;
  return {
    epochs,
    learningRate,
    stepsPerRun,
    seed: config.seed,
    session: { ep: config.ep, threads: config.threads },
    optimizer: made("optimizer", optimizers, config.optimizer),
    schedule: made("schedule", schedules, config.schedule),
    loss: made("loss", losses, config.loss),
    ...present({ batch, output, trainable, freeze, decayExclude, clip, accumulate, average, precision }),
    ...present({ batchNorm, dropout, restoreBest, monitor, workers }),
    ...(lossScale && { lossScale: present(lossScale) }),
    ...(earlyStopping && { earlyStopping: present(earlyStopping) }),
  };
}

/** The augmentations of a configuration. @throws UsageError for names and settings that do not exist */
export async function augmentOf({ augment = [] }: TrainingConfig, data: Dataset): Promise<Pick<FitOptions, "augment">> {
  if (augment.length === 0) return {};
  const members = augment.map(async (choice) => {
    const { given } = chosen("augmentation", augmentations, choice);
    const classes = given.includes("classes") ? { classes: await classCount(data) } : {};
    return made("augmentation", augmentations, choice, classes);
  });
  return { augment: await Promise.all(members) };
}

/**
 * What is measured on samples that are held out: accuracy where classes are told apart. Their labels are never mixed, so that the loss
 * of mixed labels is the plain one there.
 */
export function evaluationOf(
  { loss, metrics }: TrainingConfig,
  { validation }: TrainingData,
): Pick<FitOptions, "evaluate"> {
  if (validation.size === 0) return {};
  const name = nameOf(loss);
  const usual = ["crossEntropy", "softCrossEntropy", "hinge"].includes(name) ? (["accuracy"] as const) : [];
  const plain = name === "softCrossEntropy" ? ({ loss: "crossEntropy" } as const) : {};
  return { evaluate: { data: validation, metrics: metrics ?? usual, ...plain } };
}
