/** @file `lithe train --model NAME|FILE --data DATA`: trains a network on labelled samples. */
import type { Command } from "commander";
import { type Split, split } from "../data/index.ts";
import { UsageError } from "../errors.ts";
import { saveModel } from "../onnx/files.ts";
import {
  type FitOptions,
  fit,
  losses,
  optimizers,
  schedules,
  type TrainEvent,
  type TrainReport,
} from "../train/index.ts";
import type { CommandModule, Console, Outcome } from "./command.ts";
import { openDataset } from "./load.ts";
import { inputPorts } from "./model-file.ts";
import { between, choice, type DataOptions, declareRuntime, type RuntimeOptions, whole } from "./options.ts";
import { checkOutputFile } from "./output.ts";
import { modelToTrain, networkFor, networkNames } from "./trained-network.ts";

interface TrainOptions extends RuntimeOptions, Pick<DataOptions, "data" | "preset" | "preprocess" | "labels"> {
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

function declare(command: Command): void {
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

async function run(_: readonly string[], given: Readonly<Record<string, unknown>>, console: Console): Promise<Outcome> {
  const options = given as unknown as TrainOptions;
  const { model: name, data: path, seed, validation } = options;
  if (name === undefined || path === undefined) throw new UsageError("training needs --model and --data");
  const out = options.out ?? `${name.replace(/\.onnx$/, "")}_trained.onnx`;
  await checkOutputFile(out, name.endsWith(".onnx") ? [name] : []);
  const known = await modelToTrain(name);
  const data = await openDataset(path, known ? inputPorts(known) : undefined, options);
  for (const assumption of data.assumptions ?? []) console.say(`assumed: ${assumption}`);
  const model = known ?? (await networkFor(name, data, seed));
  const held = Math.round(validation * data.size);
  const parts = await split(data, { calibration: data.size - held, evaluation: held, seed });
  const training = fit(model, fitOptions(options, parts, console));
  for await (const event of training) follow(event, console);
  const { model: trained, report } = await training.result;
  await saveModel(out, trained);
  if (!console.json) show(report, out, console);
  return { result: { model: name, file: out, ...report } };
}

function fitOptions(options: TrainOptions, { calibration, evaluation }: Split, { signal }: Console): FitOptions {
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

function follow(event: TrainEvent, { say, progress }: Console): void {
  if (event.type === "start" && event.resumedFrom > 0) say(`resumed after batch ${event.resumedFrom}`);
  if (event.type === "step") {
    progress({ stage: "train", done: event.step, total: event.steps, detail: `loss ${event.loss.toFixed(4)}` });
  }
  if (event.type !== "evaluation") return;
  const metrics = Object.entries(event.metrics).map(([name, value]) => `${name} ${value.toFixed(4)}`);
  say(`epoch ${event.epoch}: ${metrics.join(", ")}${event.isBest ? " (best)" : ""}`);
}

function show({ parameters, updates, seconds, best }: TrainReport, out: string, { say }: Console): void {
  say(`${parameters} parameters, ${updates} updates in ${seconds.toFixed(1)} s`);
  if (best) say(`best after epoch ${best.epoch}: ${best.monitor} ${best.metrics[best.monitor]?.toFixed(4)}`);
  say(`model: ${out}`);
}

export const command: CommandModule = { declare, run };
