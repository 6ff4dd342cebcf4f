/** @file The options of `lithe train`, and what they mean to the trainer. */
import type { Command } from "commander";
import type { Split } from "../data/index.ts";
import { type FitOptions, losses, optimizers, schedules } from "../train/index.ts";
import type { Console } from "./command.ts";
import { between, choice, type DataOptions, declareRuntime, type RuntimeOptions, whole } from "./options.ts";
import { networkNames } from "./trained-network.ts";

export interface TrainOptions extends RuntimeOptions, Pick<DataOptions, "data" | "preset" | "preprocess" | "labels"> {
  readonly model?: string;
  readonly validation: number;
  readonly epochs: number;
  readonly learningRate: number;
  readonly optimizer: keyof typeof optimizers;
  readonly schedule: keyof typeof schedules;
  readonly loss: keyof typeof losses;
  readonly clip?: number;
  readonly stepsPerRun: number;
  readonly checkpoint?: string;
  readonly resume?: boolean;
  readonly out?: string;
}

export function declareTrain(command: Command): void {
  declareRuntime(command)
    .option("--model <name|file>", `${networkNames.join(", ")}, or an .onnx file to train further`)
    .option("--data <path>", "folder or file with labelled samples")
    .option("--preset <name>", "how pictures become tensors")
    .option("--preprocess <file>", "the same as a JSON file")
    .option("--labels <file>", "labels: a file, or the name of a column or array")
    .option("--validation <share>", "share of the samples that is evaluated on after every epoch", between(0, 0.9), 0.1)
    .option("--epochs <n>", "times that every sample is seen", whole(1), 10)
    .option("--learning-rate <x>", "highest learning rate", between(0, 1e6), 1e-3)
    .addOption(choice("--optimizer <name>", "optimizer", Object.keys(optimizers), "adamw"))
    .addOption(choice("--schedule <name>", "learning rate over the run", Object.keys(schedules), "warmup"))
    .addOption(choice("--loss <name>", "loss", Object.keys(losses), "crossEntropy"))
    .option("--clip <norm>", "largest norm of all gradients together", between(1e-9, 1e9))
    .option("--steps-per-run <n>", "batches per call of the runtime", whole(1), 1)
    .option("--checkpoint <folder>", "keeps the state of the run after every epoch")
    .option("--resume", "goes on from the checkpoint")
    .option("-o, --out <file>", "the trained model; default: NAME_trained.onnx");
}

export function fitOptions(options: TrainOptions, { calibration, evaluation }: Split, { signal }: Console): FitOptions {
  const { epochs, batch, learningRate, optimizer, schedule, loss, clip, seed, stepsPerRun, ep, threads } = options;
  const classifies = loss === "crossEntropy" || loss === "hinge";
  return {
    data: calibration,
    epochs,
    learningRate,
    optimizer,
    schedule,
    loss,
    seed,
    stepsPerRun,
    signal,
    session: { ep, threads },
    ...(batch !== undefined && { batch }),
    ...(clip !== undefined && { clip }),
    ...(evaluation.size > 0 && { evaluate: { data: evaluation, metrics: classifies ? ["accuracy"] : [] } }),
    ...(options.checkpoint !== undefined && { checkpoint: { folder: options.checkpoint } }),
    ...(options.resume && { resume: true }),
  };
}
