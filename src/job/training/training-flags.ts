/** @file The flags of `lithe train` and `lithe finetune`: each says what a key of the configuration says. */
import type { Command } from "commander";
import { augmentations } from "../../data/index.ts";
import { executionProviders } from "../../runtime/index.ts";
import { losses, optimizers, schedules } from "../../train/index.ts";
import { between, choice, names, whole } from "../settings/options.ts";
import type { Flags } from "./training-config.ts";

/** Flags have no values of their own where the user is silent, so that a configuration file can speak. */
export function declareTraining(command: Command): Command {
  return command
    .option("--data <path>", "folder or file with labelled samples")
    .option("--preset <name>", "how pictures become tensors")
    .option("--preprocess <file>", "the same as a JSON file")
    .option("--labels <file>", "labels: a file, or the name of a column or array")
    .option("--augment <names>", `changes pictures at random: ${Object.keys(augmentations).join(", ")}`, names)
    .option("--workers <n>", "threads that read and augment samples ahead of the steps (0)", whole(0))
    .option(
      "--validation <share>",
      "share of the samples that is evaluated on after every epoch (0.1)",
      between(0, 0.9),
    )
    .option("--epochs <n>", "times that every sample is seen (10)", whole(1))
    .option("--batch <n>", "samples per batch (32, or the model's own)", whole(1))
    .option("--learning-rate <x>", "highest learning rate (0.001)", between(0, 1e6))
    .addOption(choice("--optimizer <name>", "optimizer (adamw)", Object.keys(optimizers)))
    .addOption(choice("--schedule <name>", "learning rate over the run (warmup)", Object.keys(schedules)))
    .addOption(choice("--loss <name>", "loss (crossEntropy)", Object.keys(losses)))
    .option(
      "--output <name>",
      "the output that the loss reads; of several, the deepest with as many scores as there are classes",
    )
    .option("--trainable <patterns>", "initializers to train: names with *, separated by commas (all)", names)
    .option("--freeze <patterns>", "initializers that stay as they are", names)
    .option("--clip <norm>", "largest norm of all gradients together", between(1e-9, 1e9))
    .option("--accumulate <n>", "batches per update", whole(1))
    .option("--average <share>", "keeps a running average of the parameters, such as 0.999", between(0, 0.999999))
    .addOption(choice("--precision <dtype>", "of products and sums (float32)", ["float32", "float16", "bfloat16"]))
    .option("--patience <n>", "ends the run after so many evaluations without an improvement", whole(1))
    .option("--restore-best", "hands out the parameters of the best evaluation")
    .option("--checkpoint-every <n>", "keeps the state after so many batches too, not only after epochs", whole(1))
    .option("--steps-per-run <n>", "batches per call of the runtime (1)", whole(1))
    .option("--measure-forms", "measures first which forms of the gradients are fastest here")
    .option("--seed <n>", "seed of everything random (1)", whole(0))
    .addOption(choice("--ep <provider>", "execution provider (cpu)", executionProviders))
    .option("--threads <n>", "threads within an operator (1)", whole(1))
    .option("-o, --out <path>", "folder for the run, or an .onnx file")
    .option("--resume", "goes on with an interrupted run");
}

/** The flags as keys of a configuration. */
export function configOf({ patience, resume: _, json: __, ...flags }: Flags): Flags {
  return { ...flags, ...(patience !== undefined && { earlyStopping: { patience } }) };
}
