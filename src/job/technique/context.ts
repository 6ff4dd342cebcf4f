/** @file What a technique works with, given by the job. */
import { join } from "node:path";
import { distill, recoveryFrom } from "../../distill/index.ts";
import { remove } from "../../file-system.ts";
import type { Model } from "../../ir/index.ts";
import { encodeModel, loadModelBytes } from "../../onnx/index.ts";
import type { RunFolder } from "../../report/index.ts";
import { cpuSaturates, openSession } from "../../runtime/index.ts";
import type { MadeModel, TechniqueContext } from "../../technique/index.ts";
import type { TrainEvent } from "../../train/index.ts";
import type { Console } from "../console.ts";
import { firstBatch } from "../data/load.ts";
import { kernelBlocksOf } from "../forms/block-cache.ts";
import { fixedBatch, type RecoveryFlags, recoveryOf, tellTraining } from "../recovery.ts";
import type { RuntimeOptions } from "../settings/settings.ts";
import type { Prepared } from "./prepared.ts";

/** In the folder of the run; of no use when it is over. */
const CHECKPOINTS = "checkpoints";

/** What is changed by, and how accuracy is won back. */
type ContextSettings = RecoveryFlags & Pick<RuntimeOptions, "ep" | "threads" | "seed"> & { readonly resume?: boolean };

interface Given extends Pick<Prepared, "data">, Partial<Pick<Prepared, "others">> {
  readonly original: Pick<Prepared["original"], "session">;
}

/**
 * @param model what is changed, ready
 * @param training its name, where the run has several
 */
export function contextOf(
  model: Model,
  { data, original, others = [] }: Given,
  shared: ContextSettings,
  folder: RunFolder,
  console: Console,
  training = "",
): TechniqueContext {
  const { ep, threads, seed, resume } = shared;
  const { signal } = console;
  const named = (key: string): string => `${training} ${key}`.trim();
  const { datasets } = data;
  const asked = recoveryOf(model, data, shared);
  const checkpoint = { folder: join(folder.path, CHECKPOINTS, training.replace(/[^\w.]+/g, "-")) };
  const checkpoints = { ...checkpoint, resume: resume === true };
  const recovery = asked && { ...asked, checkpoint, resume: checkpoints.resume };
  const trained = async (event: TrainEvent): Promise<void> => {
    await folder.record({ stage: "training", ...event });
    tellTraining(event, console);
  };
  const follow: TechniqueContext["follow"] = async (run) => {
    for await (const event of run) await trained(event);
    return await run.result;
  };
  return {
    open: openSession,
    session: { ep, threads },
    seed,
    signal,
    original: original.session,
    others,
    labelled: () => data.calibration(),
    data: dataFor(model, data),
    ...(recovery && { recovery }),
    checkpoints,
    kernelBlocks: () => kernelBlocksOf(ep, threads, console),
    ...doneOnce(folder, named, recovery !== undefined),
    part: (name) => contextOf(model, { data, original, others }, shared, folder, console, named(name)),
    saturates: async () => ep === "cpu" && (await cpuSaturates()),
    emit: (event) => folder.record(event),
    trained,
    follow,
    async recover(changed, values = [], algorithms = []) {
      if (!recovery) return { model: changed };
      const held = datasets && { evaluate: { data: datasets.calibration } };
      const options = recoveryFrom(model, values, { ...recovery, ...held, algorithms });
      const { model: recovered, report } = await follow(distill(changed, { ...options, signal }));
      return { model: recovered, training: report };
    },
    say: console.say,
    progress: console.progress,
  };
}

function dataFor(model: Model, data: Prepared["data"]): TechniqueContext["data"] {
  const { datasets } = data;
  const batch = fixedBatch(model);
  return {
    async *calibration() {
      for await (const { feeds } of data.calibration()) yield feeds;
    },
    timed: () => firstBatch(data),
    ...(datasets && { datasets }),
    ...(batch !== undefined && { batch }),
  };
}

type Once = Pick<TechniqueContext, "once" | "onceModel">;

function doneOnce(folder: RunFolder, named: (key: string) => string, isKept: boolean): Once {
  return {
    once: (key, decide) => decidedOnce(folder, named(key), decide, isKept),
    onceModel: (key, make) => (isKept ? madeOnce(folder, named(key), make) : make()),
  };
}

/** Kept where an interrupted run can go on. */
async function decidedOnce<T extends object>(
  folder: RunFolder,
  key: string,
  decide: () => Promise<T>,
  isKept: boolean,
): Promise<T> {
  const kept = await folder.load(key);
  if (kept) return kept.facts as T;
  const facts = await decide();
  if (isKept) await folder.keep(key, { facts });
  return facts;
}

async function madeOnce<T extends object>(
  folder: RunFolder,
  key: string,
  make: () => Promise<MadeModel<T>>,
): Promise<MadeModel<T>> {
  const kept = await folder.load(key);
  if (kept?.bytes) return { model: loadModelBytes(kept.bytes), facts: kept.facts as T };
  const made = await make();
  await folder.keep(key, { facts: made.facts, bytes: encodeModel(made.model) });
  return made;
}

/** Removes what only served to go on. */
export async function dropState(folder: RunFolder): Promise<void> {
  await remove(join(folder.path, CHECKPOINTS));
  await folder.finish();
}
