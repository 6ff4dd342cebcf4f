/** @file The distillation of `lithe route`: a run folder while it goes on, its report when it is done. */
import { createHash } from "node:crypto";
import { basename } from "node:path";
import { type RoutedModel, recoverRouted, withoutSideOutputs } from "../conditional/index.ts";
import type { RecoveryOptions } from "../distill/index.ts";
import type { Model } from "../ir/index.ts";
import type { Console } from "../job/console.ts";
import type { LoadedData } from "../job/data/loaded-data.ts";
import { modelFacts } from "../job/model/model-facts.ts";
import { fingerprint } from "../job/model/model-file.ts";
import { recoveryOf, tellTraining } from "../job/recovery.ts";
import { environment } from "../job/run/environment.ts";
import { runFolderOf } from "../job/run/output.ts";
import { timestamp } from "../job/run/timestamp.ts";
import { commandOf } from "../job/settings/command-line.ts";
import { runFacts } from "../job/training/run-facts.ts";
import { encodeModel } from "../onnx/index.ts";
import { openRunFolder, type RunFolder, type TrainingReport, trainingPage } from "../report/index.ts";
import type { TrainReport } from "../train/index.ts";
import type { RouteFlags } from "./route-flags.ts";

export interface RouteJob {
  readonly path: string;
  readonly out: string;
  readonly flags: RouteFlags;
  readonly data: LoadedData;
  /** What is routed, ready for training. */
  readonly model: Model;
  readonly routed: RoutedModel;
}

export interface RecoveredRoute {
  /** For inference. */
  readonly model: Model;
  readonly training?: TrainReport;
  /** The path of the report. */
  readonly report?: string;
}

/** The routed model after the distillation that `--finetune` asks for, if it does. */
export async function recoveredRoute(job: RouteJob, console: Console): Promise<RecoveredRoute> {
  const recovery = recoveryOf(job.model, job.data, job.flags);
  if (!recovery) return { model: await withoutSideOutputs(job.routed.model) };
  const { out: _, ...config } = job.flags;
  const { sha256 } = await fingerprint(job.path);
  const identity = { command: "route", model: basename(job.path), sha256, ...config };
  await using folder = await openRunFolder(runFolderOf(job.out), identity);
  try {
    return await recovered(job, recovery, folder, console);
  } catch (error) {
    await folder.abandon();
    throw error;
  }
}

async function recovered(
  job: RouteJob,
  recovery: RecoveryOptions,
  folder: RunFolder,
  console: Console,
): Promise<RecoveredRoute> {
  const { model: original, routed, data } = job;
  const held = data.datasets?.calibration;
  const evaluate = held && { evaluate: { data: held } };
  const run = recoverRouted(original, routed, { ...recovery, ...evaluate, signal: console.signal });
  for await (const event of run) {
    await folder.record(event);
    tellTraining(event, console);
  }
  const { model: trained, report: training } = await run.result;
  const model = await withoutSideOutputs(trained);
  const facts = await reportOf(job, model, recovery, training, folder);
  await folder.write("report.json", `${JSON.stringify(facts, undefined, 1)}\n`);
  const report = await folder.write("report.html", trainingPage(facts));
  await folder.finish();
  return { model, training, report };
}

async function reportOf(
  { path, out, flags, data }: RouteJob,
  model: Model,
  { batch }: RecoveryOptions,
  training: TrainReport,
  folder: RunFolder,
): Promise<TrainingReport> {
  const bytes = encodeModel(model);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const { experts, topK, method, balance, learningRate, temperature, featureWeight } = flags;
  const settings = { experts, topK, method, balance, learningRate, trainBatch: batch, temperature, featureWeight };
  return {
    schema: 1,
    kind: "training",
    title: `lithe: ${basename(path)} routed`,
    command: commandOf("route", path, flags),
    created: timestamp(),
    seed: flags.seed,
    environment: await environment(),
    model: modelFacts(basename(out), model, { sha256, bytes: bytes.byteLength }),
    data: { source: data.source, training: training.samples, validation: data.calibrationSize },
    settings: [
      { name: "distilled from", value: basename(path) },
      ...Object.entries(settings).map(([name, value]) => ({ name, value: String(value) })),
    ],
    ...(await runFacts(training, folder)),
    restoredBest: false,
    notes: [],
  };
}
