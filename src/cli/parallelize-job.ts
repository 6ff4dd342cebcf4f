/** @file From the options of `lithe parallelize` to the work, and its events to the terminal. */
import type { Model } from "../ir/index.ts";
import type { Console } from "../job/console.ts";
import type { LoadedData } from "../job/data/loaded-data.ts";
import { fixedBatch, recoveryOf, tellTraining } from "../job/recovery.ts";
import {
  depthOf,
  fullPlan,
  type JudgeOptions,
  type Parallelized,
  type ParallelizeEvent,
  type ParallelizeOptions,
  type PlanShape,
  parallelize,
  parallelizeBlocks,
  partitionBranches,
  surveyBlocks,
  windowsForDepth,
  windowsOf,
} from "../parallel/index.ts";
import type { RunFolder } from "../report/index.ts";
import type { ParallelizeFlags } from "./parallelize-flags.ts";

/** What would be done. Throws what the work would throw about the model and the shape, before any work. */
export function planned(model: Model, flags: ParallelizeFlags) {
  const shape = shapeOf(flags);
  const survey = surveyBlocks(model);
  const { depth, workers } = flags;
  const full = depth === undefined ? fullPlan(survey, shape) : undefined;
  const { runs } = survey;
  const parts = full ? full.windows.length : windowsForDepth(runs, shape, depth!);
  const before = depthOf(runs, { ...shape, windows: [] });
  const after = full ? depthOf(runs, full) : depth!;
  if (workers !== undefined) {
    const [window] = windowsOf(runs, shape);
    partitionBranches(parallelizeBlocks(model, { ...shape, windows: [window!] }), workers);
  }
  return {
    shape,
    runs: runs.map(({ blocks, period }) => ({ blocks: blocks.length, period })),
    parts,
    depth: { before, after },
  };
}

export function shapeOf({ branches, group, arrangement }: ParallelizeFlags): Required<PlanShape> {
  return { branches, group, arrangement };
}

/** Runs the work; every event goes to the run folder and to the terminal. */
export async function parallelized(
  model: Model,
  data: LoadedData,
  flags: ParallelizeFlags,
  folder: RunFolder,
  console: Console,
): Promise<Parallelized> {
  const run = parallelize(model, parallelizeOptions(model, data, flags, console));
  for await (const event of run) {
    await folder.record(event.type === "training" ? { stage: "training", ...event.event } : event);
    tell(event, console);
  }
  return await run.result;
}

function parallelizeOptions(
  model: Model,
  data: LoadedData,
  flags: ParallelizeFlags,
  { signal }: Console,
): ParallelizeOptions {
  const { ep, threads, depth } = flags;
  const batch = fixedBatch(model);
  const selection: JudgeOptions | undefined = data.datasets && {
    data: data.datasets.calibration,
    session: { ep, threads },
    ...(batch !== undefined && { batch }),
  };
  const recovery = recoveryOf(model, data, flags);
  return {
    ...shapeOf(flags),
    signal,
    ...(depth !== undefined && { depth }),
    ...(selection && { selection }),
    ...(recovery && { recovery }),
  };
}

function tell(event: ParallelizeEvent, { say, progress }: Console): void {
  if (event.type === "survey") {
    const runs = event.runs.map(
      ({ blocks, period }) => `${blocks} blocks of ${period} residual step${period === 1 ? "" : "s"}`,
    );
    say(`found ${runs.join(", ")}`);
  }
  if (event.type === "window") progress({ stage: "measure", done: event.done, total: event.total, detail: "parts" });
  if (event.type === "depth") progress({ stage: "measure", done: event.done, total: event.total, detail: "depths" });
  if (event.type === "plan") say(`parallel parts: ${event.plan.windows.length}, sequential depth ${event.depth}`);
  if (event.type === "training") tellTraining(event.event, { progress });
}
