/** @file The networks of another structure that an acceleration may try: a technique's changes, and the training after them, as chains of steps. */
import type * as z from "zod";
import type { Chain, Changes, Step } from "../../accelerate/index.ts";
import { UsageError } from "../../errors.ts";
import type { Model } from "../../ir/index.ts";
import { encodeModel, loadModelBytes } from "../../onnx/index.ts";
import { pruneTechnique } from "../../prune/index.ts";
import type { RunFolder } from "../../report/index.ts";
import { openSession } from "../../runtime/index.ts";
import { requireSamplesFor } from "../../settings/index.ts";
import type { TechniqueContext } from "../../technique/index.ts";
import type { Console } from "../console.ts";
import { openDataset } from "../data/load.ts";
import type { LoadedData } from "../data/loaded-data.ts";
import { inputPorts } from "../model/model-file.ts";
import { readied } from "../model/readied.ts";
import { recoveryOf } from "../recovery.ts";
import { contextOf } from "../technique/context.ts";
import { present } from "../training/named-choice.ts";
import type { JobOptions } from "./job-options.ts";

type PruneSettings = z.output<typeof pruneTechnique.settings>;

/** What is asked for, and can be done. */
export interface PlannedChanges {
  /** The original, ready for changes. */
  readonly from: Model;
  readonly settings: readonly PruneSettings[];
  /** With the samples to train on. */
  readonly data: LoadedData;
  /** What each network would be, in words. */
  readonly sentences: readonly string[];
}

/** @throws UsageError for a training of nothing, or on nothing, and for what chooses by samples that are not given */
export function checkChanges({ prune, finetune, data, criterion, ranking }: JobOptions): void {
  for (const ratio of prune ?? []) {
    const own = pruneTechnique.settings.parse({ ratio, ...present({ criterion, ranking }) });
    pruneTechnique.check({ ...own, ...(data !== undefined && { data }) });
  }
  if (finetune === undefined) return;
  if (prune === undefined) {
    throw new UsageError("--finetune trains the networks of --prune", { expected: "--prune SHARES", got: "none" });
  }
  requireSamplesFor("--finetune", data);
}

/** `undefined` where no change is asked for. @throws UsageError for a share by which the model cannot be pruned, and without samples to train on */
export async function plannedChanges(
  model: Model,
  options: JobOptions,
  data: LoadedData,
  console: Console,
): Promise<PlannedChanges | undefined> {
  const { prune, criterion, ranking, round, most, exclude, ep, threads } = options;
  if (prune === undefined) return undefined;
  await using original = await openSession(model, { ep, threads, stock: true, step: "making the model ready" });
  const from = await readied(model, original, { evaluation: data.calibration }, options, console);
  const learned = await withTraining(model, options, data);
  recoveryOf(from, learned, options);
  // Every form of the network is timed against the original later: int8 may be faster where floats are not.
  const more = { ...present({ criterion, ranking, round, most, exclude }), allowSlower: true };
  const settings = prune.map((ratio) => pruneTechnique.settings.parse({ ratio, ...more }));
  const sentences = settings.map((own) => `${nameOf(own)}: ${pruneTechnique.plan(from, own).sentence}`);
  return { from, settings, data: learned, sentences };
}

function nameOf({ ratio, round }: PruneSettings): string {
  return `prune ${ratio} rounded ${round}`;
}

/** The samples of `--train-data` in the place of those that are left. */
async function withTraining(model: Model, options: JobOptions, data: LoadedData): Promise<LoadedData> {
  const { trainData } = options;
  if (trainData === undefined || !data.datasets) return data;
  const training = await openDataset(trainData, inputPorts(model), options);
  return { ...data, datasets: { ...data.datasets, training } };
}

/** The changes as accelerate makes them, with what was trained kept in the folder of the run. */
export function changesIn(
  folder: RunFolder,
  { from, settings, data }: PlannedChanges,
  options: JobOptions,
  console: Console,
): Changes {
  const { ep, threads, finetune } = options;
  const within = async (
    name: string,
    signal: AbortSignal,
    work: (context: TechniqueContext) => Promise<{ readonly model: Model }>,
  ): Promise<Model> => {
    await using session = await openSession(from, { ep, threads, stock: true, step: "changing the model" });
    const context = contextOf(from, { data, original: { session } }, options, folder, { ...console, signal }, name);
    return (await work(context)).model;
  };
  const chainOf = (own: PruneSettings): Chain => {
    const name = nameOf(own);
    const untrained = async (model: Model) => ({ model });
    const prune: Step = {
      name,
      trains: false,
      apply: (model, signal) =>
        within(name, signal, (context) => pruneTechnique.run(model, own, { ...context, recover: untrained })),
    };
    if (finetune === undefined) return [prune];
    const recover: Step = {
      name: `recover ${finetune} ${finetune === 1 ? "epoch" : "epochs"}`,
      trains: true,
      apply: (model, signal) =>
        keptModel(folder, `trained: ${name}`, () => within(name, signal, (context) => context.recover(model))),
    };
    return [prune, recover];
  };
  return { from, chains: settings.map(chainOf) };
}

/** The model that an interrupted run has kept under a name, or that is made now. */
async function keptModel(folder: RunFolder, name: string, make: () => Promise<Model>): Promise<Model> {
  const kept = await folder.load(name);
  if (kept?.bytes) return loadModelBytes(kept.bytes);
  const model = await make();
  await folder.keep(name, { facts: {}, bytes: encodeModel(model) });
  return model;
}
