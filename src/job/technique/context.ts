/** @file What a technique works with, given by the job. */
import { join } from "node:path";
import type { RunFolder } from "../../report/index.ts";
import { cpuSaturates, openSession } from "../../runtime/index.ts";
import type { TechniqueContext } from "../../technique/index.ts";
import type { TrainEvent } from "../../train/index.ts";
import type { Console } from "../console.ts";
import { firstBatch } from "../data/load.ts";
import { fixedBatch, recoveryOf, tellTraining } from "../recovery.ts";
import type { Prepared } from "./prepared.ts";
import type { SharedSettings } from "./settings.ts";

export function contextOf(
  prepared: Prepared,
  shared: SharedSettings,
  folder: RunFolder,
  console: Console,
): TechniqueContext {
  const { ep, threads, seed, resume } = shared;
  const { data, original } = prepared;
  const batch = fixedBatch(prepared.model);
  const recovery = recoveryOf(prepared.model, data, shared);
  const checkpoint = { folder: join(folder.path, "checkpoints") };
  const trained = async (event: TrainEvent): Promise<void> => {
    await folder.record({ stage: "training", ...event });
    tellTraining(event, console);
  };
  return {
    open: openSession,
    session: { ep, threads },
    seed,
    signal: console.signal,
    original: original.session,
    data: {
      async *calibration() {
        for await (const { feeds } of data.calibration()) yield feeds;
      },
      timed: () => firstBatch(data),
      ...(data.datasets && { datasets: data.datasets }),
      ...(batch !== undefined && { batch }),
    },
    ...(recovery && { recovery: { ...recovery, checkpoint, resume: resume === true } }),
    saturates: async () => ep === "cpu" && (await cpuSaturates()),
    emit: (event) => folder.record(event),
    trained,
    async follow(run) {
      for await (const event of run) await trained(event);
      return await run.result;
    },
    say: console.say,
    progress: console.progress,
  };
}
