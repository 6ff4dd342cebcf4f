/** @file Options of distillation from the original, for commands that change a network and win its accuracy back. */
import type { Command } from "commander";
import type { Dataset } from "../data/index.ts";
import type { RecoveryOptions } from "../distill/index.ts";
import { UsageError } from "../errors.ts";
import type { Model } from "../ir/index.ts";
import type { TrainEvent } from "../train/index.ts";
import type { Console } from "./command.ts";
import type { LoadedData } from "./load.ts";
import { inputPorts } from "./model-file.ts";
import { between, type RuntimeOptions, whole } from "./options.ts";

export interface RecoveryFlags {
  /** Epochs of distillation. */
  readonly finetune?: number;
  readonly learningRate: number;
  readonly trainBatch: number;
  readonly temperature: number;
  readonly featureWeight: number;
}

export function declareRecovery(command: Command): Command {
  return command
    .option("--finetune <epochs>", "epochs of distillation from the original (needs data)", whole(1))
    .option("--learning-rate <x>", "highest learning rate of the distillation", between(0, 1e6), 5e-4)
    .option("--train-batch <n>", "samples per step of the distillation", whole(1), 32)
    .option("--temperature <t>", "of the soft targets", between(1e-3, 1e3), 2)
    .option("--feature-weight <w>", "weight of the outputs of blocks beside the answers", between(0, 1e6), 1);
}

/** What the options ask of the distillation; `undefined` without `--finetune`. */
export function recoveryOf(
  model: Model,
  { datasets }: LoadedData,
  flags: RecoveryFlags & RuntimeOptions,
): RecoveryOptions | undefined {
  const { ep, threads, seed, finetune, learningRate, trainBatch, temperature, featureWeight } = flags;
  if (finetune === undefined) return undefined;
  return {
    data: toTrain(datasets?.training),
    epochs: finetune,
    learningRate,
    temperature,
    featureWeight,
    seed,
    session: { ep, threads },
    batch: fixedBatch(model) ?? trainBatch,
  };
}

/** Samples are never made up for what an option chooses or learns by them; `option` is the one that asks, if any. */
export function requireSamplesFor(option: string | undefined, data: string | undefined): void {
  const isGiven = data !== undefined && data !== "random";
  if (isGiven || option === undefined) return;
  throw new UsageError(`${option} needs data`, { expected: "--data PATH", got: data ?? "none" });
}

function toTrain(data: Dataset | undefined): Dataset {
  if (data && data.size > 0) return data;
  throw new UsageError("there are no samples left to train on", {
    hint: "Keep fewer for choosing and verifying, with --calibration-samples and --eval-samples.",
  });
}

/** The number of samples that the model takes at once, where it takes one number only. */
export function fixedBatch(model: Model): number | undefined {
  const lengths = inputPorts(model).map(({ dims }) => dims?.[0]);
  return lengths.find((dim): dim is number => typeof dim === "number");
}

export function tellTraining(event: TrainEvent, { progress }: Pick<Console, "progress">): void {
  if (event.type !== "step") return;
  const terms = Object.entries(event.terms ?? {}).map(([name, value]) => `${name} ${value.toFixed(4)}`);
  progress({ stage: "distil", done: event.step, total: event.steps, detail: terms.join(", ") });
}
