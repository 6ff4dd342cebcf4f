/** @file From a configuration to what the trainer is told. */
import type { Dataset } from "../../data/index.ts";
import type { FitOptions } from "../../train/index.ts";
import { classCount } from "./class-count.ts";
import { augmentationMembers, lossMembers, optimizerMembers, scheduleMembers } from "./families.ts";
import { chosen, type Member, type NamedChoice, nameOf, present } from "./named-choice.ts";
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
    optimizer: built("optimizer", optimizerMembers, config.optimizer),
    schedule: built("schedule", scheduleMembers, config.schedule),
    loss: built("loss", lossMembers, config.loss),
    ...present({ batch, output, trainable, freeze, decayExclude, clip, accumulate, average, precision }),
    ...present({ batchNorm, dropout, restoreBest, monitor, workers }),
    ...(lossScale && { lossScale: present(lossScale) }),
    ...(earlyStopping && { earlyStopping: present(earlyStopping) }),
  };
}

/** The augmentations of a configuration. @throws UsageError for names and settings that do not exist */
export async function augmentOf({ augment = [] }: TrainingConfig, data: Dataset): Promise<Pick<FitOptions, "augment">> {
  const members = augment.map((choice) => built("augmentation", augmentationMembers, choice));
  if (members.length === 0) return {};
  return { augment: await Promise.all(members.map((make) => make(() => classCount(data)))) };
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

function built<T>(
  family: string,
  members: Readonly<Record<string, Member<(settings: Readonly<Record<string, unknown>>) => T>>>,
  choice: NamedChoice,
): T {
  const { make, settings } = chosen(family, members, choice);
  return make(settings);
}
