/** @file Which blocks become parallel: windows over runs of blocks, their sequential depth, and the choice among them. */

import { nth } from "../checked.ts";
import { UsageError } from "../errors.ts";
import { maxOf } from "../ir/index.ts";
import { checkCount } from "../options.ts";
import { type Arrangement, type ArrangementName, arrangements, type Stage } from "./arrangements/index.ts";
import { type BlockRun, type BlockSurvey, requireRuns } from "./block-runs.ts";

/** Consecutive blocks of a run that become one parallel part: `branches` × `group` of them from `first` on. */
export interface Window {
  /** Position in the survey's runs. */
  readonly run: number;
  /** The first block, counted from 0 within the run. */
  readonly first: number;
}

export interface PlanShape {
  /** Branches side by side. */
  readonly branches: number;
  /** Blocks one behind the other inside a branch; 1 by default. */
  readonly group?: number;
  /** `blocks` by default. */
  readonly arrangement?: ArrangementName;
}

export interface ParallelPlan extends PlanShape {
  readonly windows: readonly Window[];
}

/** A window with what making it alone parallel does to the model's answers. */
export interface MeasuredWindow extends Window {
  readonly divergence: number;
}

/** @throws UsageError for counts that are none, and for a shape that leaves every block where it is. */
export function checkShape({ branches, group = 1, arrangement = "blocks" }: PlanShape): void {
  checkCount("branches", branches);
  checkCount("group", group);
  if (branches > 1 || arrangement === "merged") return;
  throw new UsageError("one branch is no parallel network", {
    expected: "2 branches or more",
    got: "1",
    hint: 'With the arrangement "merged", one branch puts the steps of each block side by side.',
  });
}

/** Blocks that a window covers. */
export function windowLength({ branches, group = 1 }: PlanShape): number {
  return branches * group;
}

/** The parallel part that a window becomes. */
export function stagesOf({ blocks }: BlockRun, { first }: Pick<Window, "first">, shape: PlanShape): readonly Stage[] {
  const { branches, group = 1 } = shape;
  const arrangement: Arrangement = arrangements[shape.arrangement ?? "blocks"];
  const parts = Array.from({ length: branches }, (_, j) => blocks.slice(first + j * group, first + (j + 1) * group));
  return arrangement.stages(parts);
}

/** Steps on the longest path through the stages. */
function stepsThrough(stages: readonly Stage[]): number {
  return stages.reduce((sum, stage) => sum + maxOf(stage.map(({ length }) => length)), 0);
}

/**
 * The sequential depth of the model under a plan, in blocks: steps on the longest path through all runs over the steps
 * of a block. A part of a block is left where steps of a block stand side by side.
 */
export function depthOf(runs: readonly BlockRun[], { windows, ...shape }: ParallelPlan): number {
  const serial = runs.reduce((sum, { blocks }) => sum + blocks.length, 0);
  return windows.reduce((depth, window) => depth - savedBy(nth(runs, window.run), shape), serial);
}

/** Blocks that one window takes from the longest path. */
function savedBy(run: BlockRun, shape: PlanShape): number {
  return windowLength(shape) - stepsThrough(stagesOf(run, { first: 0 }, shape)) / run.period;
}

/** Every place where a window fits. */
export function windowsOf(runs: readonly BlockRun[], shape: PlanShape): Window[] {
  const length = windowLength(shape);
  return runs.flatMap(({ blocks }, run) =>
    Array.from({ length: Math.max(0, blocks.length - length + 1) }, (_, first) => ({ run, first })),
  );
}

/**
 * The plan in which every block is parallel.
 *
 * @throws UsageError when the blocks of a run cannot be divided so, naming the run and what would fit.
 */
export function fullPlan(survey: BlockSurvey, shape: PlanShape): ParallelPlan {
  checkShape(shape);
  const runs = requireRuns(survey);
  const length = windowLength(shape);
  checkGain(runs, shape);
  for (const { blocks } of runs) {
    if (blocks.length % length === 0) continue;
    throw new UsageError("the blocks cannot be divided among the branches", {
      expected: `a multiple of ${describeShape(shape)} = ${length} blocks in a row`,
      got: `runs of ${runs.map((run) => run.blocks.length).join(", ")} blocks`,
      hint: "Take other numbers, or name a depth, so that some blocks stay in sequence.",
    });
  }
  const windows = runs.flatMap(({ blocks }, run) =>
    Array.from({ length: blocks.length / length }, (_, i) => ({ run, first: i * length })),
  );
  return { ...shape, windows };
}

/** Blocks of one step cannot be merged by themselves. */
function checkGain(runs: readonly BlockRun[], shape: PlanShape): void {
  if (runs.every((run) => savedBy(run, shape) > 0)) return;
  throw new UsageError("these blocks have nothing to put side by side", {
    expected: "2 branches or more",
    got: `${shape.branches}`,
    where: "blocks of one residual step",
  });
}

function describeShape({ branches, group = 1 }: PlanShape): string {
  return `${branches} × ${group}`;
}

/**
 * Windows that do not overlap, `count` of them, with the least sum of divergences: what each does alone is taken to add
 * up. By dynamic programming over the blocks, so the sum is the least there is.
 *
 * @throws UsageError when so many do not fit.
 */
export function leastDivergent(
  runs: readonly BlockRun[],
  shape: PlanShape,
  measured: readonly MeasuredWindow[],
  count: number,
): ParallelPlan {
  const length = windowLength(shape);
  const starts = offsets(runs);
  const endings = new Map(measured.map((window) => [nth(starts, window.run) + window.first + length, window]));
  const blocks = runs.reduce((sum, run) => sum + run.blocks.length, 0);
  let best: (Choice | undefined)[] = new Array(blocks + 1).fill({ sum: 0, windows: [] });
  for (let k = 1; k <= count; k++) {
    const next: (Choice | undefined)[] = [undefined];
    for (let end = 1; end <= blocks; end++) {
      const window = endings.get(end);
      const before = window && best[end - length];
      const taken = before && { sum: before.sum + window.divergence, windows: [...before.windows, window] };
      next.push(lesser(next[end - 1], taken));
    }
    best = next;
  }
  const chosen = best[blocks];
  if (chosen) return { ...shape, windows: chosen.windows.map(({ run, first }) => ({ run, first })) };
  throw new UsageError("the model has too few blocks for that many parallel parts", {
    expected: `at most ${mostWindows(runs, shape)} parts of ${length} blocks`,
    got: `${count}`,
  });
}

interface Choice {
  readonly sum: number;
  readonly windows: readonly MeasuredWindow[];
}

function lesser(a: Choice | undefined, b: Choice | undefined): Choice | undefined {
  if (!a || !b) return a ?? b;
  return b.sum < a.sum ? b : a;
}

/** Where each run begins when the blocks of all runs are counted through. */
function offsets(runs: readonly BlockRun[]): number[] {
  let sum = 0;
  return runs.map(({ blocks }) => {
    const start = sum;
    sum += blocks.length;
    return start;
  });
}

/** The number of windows that fit side by side. */
export function mostWindows(runs: readonly BlockRun[], shape: PlanShape): number {
  return runs.reduce((sum, { blocks }) => sum + Math.floor(blocks.length / windowLength(shape)), 0);
}

/**
 * How many windows bring the model to a sequential depth.
 *
 * @throws UsageError for a depth that no number of windows gives, naming those that they do give.
 */
export function windowsForDepth(runs: readonly BlockRun[], shape: PlanShape, depth: number): number {
  checkShape(shape);
  const serial = runs.reduce((sum, { blocks }) => sum + blocks.length, 0);
  const periods = new Set(runs.map(({ period }) => period));
  checkGain(runs, shape);
  const saved = savedBy(nth(runs, 0), shape);
  const possible = Array.from({ length: mostWindows(runs, shape) }, (_, i) => serial - (i + 1) * saved);
  const count = possible.findIndex((other) => Math.abs(other - depth) < 1e-6) + 1;
  if (count > 0 && periods.size === 1) return count;
  throw new UsageError("this depth cannot be reached", {
    expected:
      periods.size > 1 ? "runs whose blocks have equally many steps" : `one of ${possible.join(", ") || "none"}`,
    got: `${depth} of ${serial} blocks`,
    where: `${describeShape(shape)} branches × blocks`,
  });
}
