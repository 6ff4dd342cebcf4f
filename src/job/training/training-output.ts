/** @file The files of a training run: the model, its adapters, the configuration and the report. */
import { createHash } from "node:crypto";
import { basename, join } from "node:path";
import { writeAtomically } from "../../atomic-file.ts";
import { encodeSafetensors } from "../../data/index.ts";
import type { Model } from "../../ir/index.ts";
import { encodeModel } from "../../onnx/index.ts";
import { type ComparedFacts, type RunFolder, type TrainingReport, trainingPage } from "../../report/index.ts";
import type { TrainReport } from "../../train/index.ts";
import { modelFacts } from "../model/model-facts.ts";
import { environment } from "../run/environment.ts";
import { timestamp } from "../run/timestamp.ts";
import { invocation } from "../settings/command-line.ts";
import type { TrainingData } from "./fit-options.ts";
import { nameOf } from "./named-choice.ts";
import { runFacts } from "./run-facts.ts";
import type { TrainingConfig } from "./training-config.ts";
import type { Prepared } from "./training-model.ts";

export interface TrainingTarget {
  readonly title: string;
  /** Of the file that is written, without its ending. */
  readonly name: string;
  /** A folder, or the `.onnx` file to write. */
  readonly out: string;
  readonly resume: boolean;
  /** The command that does the same again; training by the configuration in the folder when absent. */
  readonly command?: string;
  /** Data that no path names, and what it is called. */
  readonly data?: TrainingData;
}

export interface FinishedTraining {
  readonly target: TrainingTarget;
  readonly config: TrainingConfig;
  readonly folder: RunFolder;
  readonly start: Prepared;
  readonly data: TrainingData;
  readonly trained: Model;
  readonly report: TrainReport;
  readonly notes: readonly string[];
  readonly compared?: readonly ComparedFacts[];
}

/** Paths of what was written. */
export interface WrittenTraining {
  readonly file: string;
  readonly page: string;
  readonly adapters?: string;
}

export interface Trained extends WrittenTraining {
  readonly training: TrainReport;
  /** What was said before it began: the head, the adapters, weights that are not trained. */
  readonly notes: readonly string[];
  /** Teacher and student on the samples that are held out; absent where nobody teaches. */
  readonly compared?: readonly ComparedFacts[];
}

/** Writes the model, then the report. Checkpoints stay, so that a longer run can go on from them. */
export async function writeTraining(finished: FinishedTraining): Promise<WrittenTraining> {
  const { target, config, folder, start, trained } = finished;
  const { model, adapters } = start.finish(trained);
  const file = target.out.endsWith(".onnx") ? target.out : join(target.out, `${target.name}.onnx`);
  const bytes = encodeModel(model);
  await writeAtomically(file, bytes);
  const kept = config.keepAdapters;
  if (adapters && kept !== undefined) await writeAtomically(kept, encodeSafetensors(adapters));
  const { out: _, ...again } = config;
  const configuration = await folder.write("config.json", `${JSON.stringify(again, undefined, 2)}\n`);
  const facts = modelFacts(basename(file), model, {
    sha256: createHash("sha256").update(bytes).digest("hex"),
    bytes: bytes.byteLength,
  });
  const command = target.command ?? invocation("train", configuration);
  const report = await trainingReport(finished, facts, command);
  await folder.write("report.json", `${JSON.stringify(report, undefined, 1)}\n`);
  const page = await folder.write("report.html", trainingPage(report));
  await folder.finish();
  return { file, page, ...(adapters && kept !== undefined && { adapters: kept }) };
}

async function trainingReport(
  { target, config, folder, data, report, notes, compared = [] }: FinishedTraining,
  model: TrainingReport["model"],
  command: string,
): Promise<TrainingReport> {
  return {
    schema: 1,
    kind: "training",
    title: target.title,
    command,
    created: timestamp(),
    seed: config.seed,
    environment: await environment(),
    model,
    data: { source: config.data, training: data.training.size, validation: data.validation.size },
    settings: settingsOf(config),
    ...(await runFacts(report, folder, config.accumulate)),
    restoredBest: config.restoreBest === true,
    ...(compared.length > 0 && { compared }),
    notes,
  };
}

/** What the configuration says that stands nowhere else in the report, as it says it. */
function settingsOf(config: TrainingConfig): TrainingReport["settings"] {
  const elsewhere = new Set(["model", "data", "seed", "out", "validation", "head"]);
  const entries = Object.entries(config).filter(([name, value]) => !elsewhere.has(name) && value !== undefined);
  const text = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));
  return [
    { name: "started from", value: basename(nameOf(config.model)) },
    ...entries.map(([name, value]) => ({ name, value: text(value) })),
  ];
}
