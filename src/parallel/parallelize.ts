/** @file From a serial network to a parallel one: survey, sensitivity, plan, regrouping, recovery, as a run. */
import { lastOf, nth } from "../checked.ts";
import { type DistillOptions, distill, type RecoveryOptions, recoveryFrom } from "../distill/index.ts";
import { UsageError } from "../errors.ts";
import type { Model } from "../ir/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import { type MissedEvents, type Run, type RunScope, startRun } from "../runtime/index.ts";
import type { TrainEvent, TrainReport } from "../train/index.ts";
import { type BlockRun, requireRuns, surveyBlocks } from "./block-runs.ts";
import { type Judgement, type JudgeOptions, judge } from "./judge.ts";
import {
  checkShape,
  depthOf,
  fullPlan,
  leastDivergent,
  type MeasuredWindow,
  mostWindows,
  type ParallelPlan,
  type PlanShape,
  stagesOf,
  windowsForDepth,
  windowsOf,
} from "./plan.ts";
import { parallelizeBlocks } from "./regroup.ts";

export interface ParallelizeOptions extends PlanShape {
  /** The sequential depth to reach, in blocks; as far as it goes when absent. */
  readonly depth?: number;
  /** Samples on which candidates are measured. Needed for a depth, which leaves a choice of what becomes parallel. */
  readonly selection?: JudgeOptions;
  /** How accuracy is won back, by the answers and by the outputs of the parallel parts; the regrouped model as it is when absent. */
  readonly recovery?: RecoveryOptions;
  readonly signal?: AbortSignal;
}

/** What a number of parallel parts costs, before anything is trained. */
export interface DepthPoint extends Judgement {
  /** Sequential depth in blocks. */
  readonly depth: number;
  readonly windows: number;
}

export type ParallelizeEvent =
  | MissedEvents
  | { readonly type: "survey"; readonly runs: readonly { readonly blocks: number; readonly period: number }[] }
  | { readonly type: "window"; readonly window: MeasuredWindow; readonly done: number; readonly total: number }
  | { readonly type: "depth"; readonly point: DepthPoint; readonly done: number; readonly total: number }
  | { readonly type: "plan"; readonly plan: ParallelPlan; readonly depth: number }
  | { readonly type: "training"; readonly event: TrainEvent };

export interface Parallelized {
  readonly model: Model;
  readonly plan: ParallelPlan;
  /** Sequential depth in blocks. */
  readonly depth: { readonly before: number; readonly after: number };
  /** Each part alone, in the order of the model; empty where nothing was measured. */
  readonly windows: readonly MeasuredWindow[];
  /** The best plan of every depth, from the original on; empty where nothing was measured. */
  readonly curve: readonly DepthPoint[];
  readonly training?: TrainReport;
}

const parallelizeOptionsNames: OptionNames<ParallelizeOptions> = {
  depth: true,
  selection: true,
  recovery: true,
  signal: true,
  branches: true,
  group: true,
  arrangement: true,
};

/**
 * Makes a serial network parallel. Which parts become parallel is chosen by measurement: each candidate alone, then the
 * set of them that reaches the depth at the least sum. What is lost is won back by distillation from the original: its
 * answers, the outputs of its blocks, and the labels where the data has them.
 *
 * @throws through `result`: UnsupportedError without repeated residual blocks, UsageError for a division or a depth that
 * does not come out, and what `distill` throws.
 */
export function parallelize(model: Model, options: ParallelizeOptions): Run<ParallelizeEvent, Parallelized> {
  checkOptions(options, parallelizeOptionsNames);
  const { signal } = options;
  return startRun((scope) => work(model, options, scope), signal ? { signal } : {});
}

async function work(
  model: Model,
  options: ParallelizeOptions,
  scope: RunScope<ParallelizeEvent>,
): Promise<Parallelized> {
  const { branches, group = 1, arrangement = "blocks", recovery } = options;
  const shape: PlanShape = { branches, group, arrangement };
  checkShape(shape);
  const survey = surveyBlocks(model);
  const runs = requireRuns(survey);
  const count = countFor(runs, shape, options);
  const full = count === undefined ? fullPlan(survey, shape) : undefined;
  scope.emit({ type: "survey", runs: runs.map(({ blocks, period }) => ({ blocks: blocks.length, period })) });
  const { windows, curve } = await measured(model, runs, shape, options, scope);
  const plan = full ?? leastDivergent(runs, shape, windows, count!);
  const depth = { before: depthOf(runs, { ...shape, windows: [] }), after: depthOf(runs, plan) };
  scope.emit({ type: "plan", plan, depth: depth.after });
  const regrouped = parallelizeBlocks(model, plan);
  const found = { plan, depth, windows, curve };
  if (!recovery) return { ...found, model: regrouped };
  const run = distill(regrouped, { ...recoveryOptions(model, runs, plan, recovery), signal: scope.signal });
  for await (const event of run) scope.emit({ type: "training", event });
  const { model: recovered, report } = await run.result;
  return { ...found, model: recovered, training: report };
}

/** The number of parallel parts where a depth asks for fewer than all. */
function countFor(runs: readonly BlockRun[], shape: PlanShape, options: ParallelizeOptions): number | undefined {
  if (options.depth === undefined) return undefined;
  const count = windowsForDepth(runs, shape, options.depth);
  if (options.selection) return count;
  throw new UsageError("a depth leaves a choice, which has to be measured", {
    expected: "data to measure on",
    got: "none",
  });
}

interface Measured {
  readonly windows: readonly MeasuredWindow[];
  readonly curve: readonly DepthPoint[];
}

/** Every window alone, then the best set of every size. */
async function measured(
  model: Model,
  runs: readonly BlockRun[],
  shape: PlanShape,
  { selection }: ParallelizeOptions,
  scope: RunScope<ParallelizeEvent>,
): Promise<Measured> {
  if (!selection) return { windows: [], curve: [] };
  const settings = { ...selection, signal: scope.signal };
  const judged = (plan: ParallelPlan) => judge(model, parallelizeBlocks(model, plan), settings);
  const candidates = windowsOf(runs, shape);
  const windows: MeasuredWindow[] = [];
  for (const candidate of candidates) {
    const { divergence } = await judged({ ...shape, windows: [candidate] });
    const window = { ...candidate, divergence };
    windows.push(window);
    scope.emit({ type: "window", window, done: windows.length, total: candidates.length });
  }
  const curve: DepthPoint[] = [];
  const most = mostWindows(runs, shape);
  for (let count = 0; count <= most; count++) {
    const plan = leastDivergent(runs, shape, windows, count);
    const point = { depth: depthOf(runs, plan), windows: count, ...(await judged(plan)) };
    curve.push(point);
    scope.emit({ type: "depth", point, done: curve.length, total: most + 1 });
  }
  return { windows, curve };
}

function recoveryOptions(
  model: Model,
  runs: readonly BlockRun[],
  plan: ParallelPlan,
  recovery: RecoveryOptions,
): DistillOptions {
  const ends = plan.windows.map((window) => lastOf(lastOf(lastOf(stagesOf(nth(runs, window.run), window, plan)))));
  return recoveryFrom(
    model,
    ends.map(({ output }) => output.name),
    recovery,
  );
}
