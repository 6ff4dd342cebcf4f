/** @file From the options of `lithe parallelize` to the work, and its events to the terminal. */
import type { Dataset } from "../data/index.ts";
import { UsageError } from "../errors.ts";
import type { Model } from "../ir/index.ts";
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
import { eliminateIdentity, foldConstants, freezeInitializers, upgradeOpset } from "../passes/index.ts";
import type { RunFolder } from "../report/index.ts";
import { type Evaluate, sequential } from "../rewrite/index.ts";
import type { TrainEvent } from "../train/index.ts";
import type { Console } from "./command.ts";
import type { LoadedData } from "./load.ts";
import { inputPorts } from "./model-file.ts";
import type { ParallelizeFlags } from "./parallelize-flags.ts";

/** The model in lithe's opset, its shape arithmetic computed, so that equal blocks look equal. */
export async function readied(model: Model, evaluate: Evaluate): Promise<Model> {
  const passes = [upgradeOpset(), freezeInitializers(), foldConstants({ evaluate }), eliminateIdentity()];
  return (await sequential("ready", passes).run(model)).model;
}

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
  { datasets }: LoadedData,
  flags: ParallelizeFlags,
  { signal }: Console,
): ParallelizeOptions {
  const { ep, threads, depth, finetune, learningRate, trainBatch, temperature, featureWeight, seed } = flags;
  const session = { ep, threads };
  const fixed = fixedBatch(model);
  const batch = fixed === undefined ? {} : { batch: fixed };
  const selection: JudgeOptions | undefined = datasets && { data: datasets.calibration, session, ...batch };
  return {
    ...shapeOf(flags),
    signal,
    ...(depth !== undefined && { depth }),
    ...(selection && { selection }),
    ...(finetune !== undefined && {
      recovery: {
        data: toTrain(datasets?.training),
        epochs: finetune,
        learningRate,
        temperature,
        featureWeight,
        seed,
        session,
        batch: fixed ?? trainBatch,
      },
    }),
  };
}

function toTrain(data: Dataset | undefined): Dataset {
  if (data && data.size > 0) return data;
  throw new UsageError("there are no samples left to train on", {
    hint: "Keep fewer for choosing and verifying, with --calibration-samples and --eval-samples.",
  });
}

/** The number of samples that the model takes at once, where it takes one number only. */
function fixedBatch(model: Model): number | undefined {
  const lengths = inputPorts(model).map(({ dims }) => dims?.[0]);
  return lengths.find((dim): dim is number => typeof dim === "number");
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
  if (event.type === "training") tellTraining(event.event, { say, progress });
}

function tellTraining(event: TrainEvent, { progress }: Pick<Console, "say" | "progress">): void {
  if (event.type !== "step") return;
  const terms = Object.entries(event.terms ?? {}).map(([name, value]) => `${name} ${value.toFixed(4)}`);
  progress({ stage: "distil", done: event.step, total: event.steps, detail: terms.join(", ") });
}
