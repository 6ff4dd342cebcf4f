/** @file Serial networks made parallel, as a technique: settings, plan, work, report. */

import * as z from "zod";
import { atLeast } from "../checked.ts";
import type { Model } from "../ir/index.ts";
import { type Comparison, compareLatency } from "../measure/index.ts";
import { openPartition } from "../runtime/index.ts";
import { between, memberOf, requireSamplesFor, setting, summariesOf, whole } from "../settings/index.ts";
import {
  type ChartSection,
  defineTechnique,
  type Evidence,
  type SpeedCard,
  type TableSection,
  type TechniqueContext,
} from "../technique/index.ts";
import { arrangements } from "./arrangements/index.ts";
import { surveyBlocks } from "./block-runs.ts";
import { type Parallelized, type ParallelizeEvent, type ParallelizeOptions, parallelize } from "./parallelize.ts";
import { partitionBranches } from "./partition/partition-branches.ts";
import { depthOf, fullPlan, type Window, windowLength, windowsForDepth, windowsOf } from "./plan.ts";
import { parallelizeBlocks } from "./regroup.ts";

const settings = z.strictObject({
  branches: setting("--branches <n>", "branches side by side: n × GROUP blocks become one parallel part", whole(1)),
  group: setting("--group <g>", "blocks one behind the other inside a branch", whole(1).default(1)),
  arrangement: setting("--arrangement <name>", summariesOf(arrangements), memberOf(arrangements).default("blocks")),
  depth: setting(
    "--depth <d>",
    "sequential depth to reach, in blocks; what becomes parallel is measured (needs data)",
    between(0, 1e6).exactOptional(),
  ),
  workers: setting(
    "--workers <n>",
    "times the result spread over n workers too, each with --threads threads",
    whole(2).exactOptional(),
  ),
});

export type ParallelizeSettings = z.output<typeof settings>;

/** Consecutive blocks that became one parallel part, or could have. */
interface WindowFacts {
  /** Where it is, in words: `run 1, blocks 3 to 4`. */
  readonly place: string;
  /** What making it alone parallel does to the answers: nats for scores, a relative squared error for numbers. */
  readonly divergence?: number;
  readonly isParallel: boolean;
}

type Spread = SpeedCard["latency"] & { readonly workers: number };

export interface ParallelizeEvidence extends Evidence {
  readonly found: Omit<Parallelized, "model">;
  readonly runs: readonly { readonly blocks: number; readonly period: number }[];
  readonly windows: readonly WindowFacts[];
  readonly spread?: Spread;
}

export const parallelizeTechnique = defineTechnique({
  name: "parallelize",
  summary: "A serial network made parallel: blocks side by side, accuracy won back by distillation",
  settings,
  ready: "blocks",
  keeps: "answers",
  recovers: true,
  suffix: () => "_parallel",

  /** A depth leaves a choice, which is never made on made-up samples. */
  check({ depth, data }) {
    requireSamplesFor(depth === undefined ? undefined : "--depth", data);
  },

  plan(model, own) {
    const { depth, workers } = own;
    const shape = shapeOf(own);
    const survey = surveyBlocks(model);
    const { runs } = survey;
    const full = depth === undefined ? fullPlan(survey, shape) : undefined;
    const parts = full ? full.windows.length : windowsForDepth(runs, shape, depth!);
    const before = depthOf(runs, { ...shape, windows: [] });
    const after = full ? depthOf(runs, full) : depth!;
    if (workers !== undefined) {
      const [window] = atLeast(windowsOf(runs, shape), 1);
      partitionBranches(parallelizeBlocks(model, { ...shape, windows: [window] }), workers);
    }
    return {
      sentence: `parallel parts: ${parts}, sequential depth ${before} → ${after}`,
      facts: {
        shape,
        runs: runs.map(({ blocks, period }) => ({ blocks: blocks.length, period })),
        parts,
        depth: { before, after },
      },
    };
  },

  async run(serial, own, context): Promise<ParallelizeEvidence> {
    const run = parallelize(serial, optionsOf(own, context));
    let runs: ParallelizeEvidence["runs"] = [];
    for await (const event of run) {
      if (event.type === "survey") runs = event.runs;
      if (event.type === "training") await context.trained(event.event);
      else await context.emit(event);
      tell(event, context);
    }
    const { model, ...found } = await run.result;
    const { depth, curve, training, plan } = found;
    const windows = windowFacts(found, windowLength(plan));
    const spread = await spreadLatency(model, own, context);
    const points = curve.map(({ windows: _, ...point }) => point);
    return {
      model,
      sentence: `${depth.before} blocks in sequence became ${depth.after}`,
      facts: { shape: shapeOf(own), depth, windows, curve: points, ...(spread && { spread }) },
      ...(training && { training }),
      found,
      runs,
      windows,
      ...(spread && { spread }),
    };
  },

  sections(evidence, own, comparison) {
    const { found, runs, spread, windows } = evidence;
    const { before, after } = found.depth;
    const [from, to] = atLeast([before, after].map(rounded), 2);
    const arrangement = `${own.arrangement}, ${own.branches} branches of ${own.group} blocks`;
    return {
      verdict: `${from} blocks in sequence became ${to}, ${own.branches} branches side by side`,
      cards: [
        {
          label: "Sequential depth",
          value: to,
          tone: "better",
          change: `${from} → ${to} blocks`,
          note: "on the longest path",
        },
      ],
      ...(spread && {
        speeds: [{ label: `Speed on ${spread.workers} workers`, each: " per worker", latency: spread }],
      }),
      parts: [depthChart(found, comparison), windowTable(windows)],
      facts: [
        ["blocks found", runs.map(({ blocks, period }) => `${blocks} of ${period} residual steps`).join("; ")],
        ["arrangement", arrangement],
      ],
    };
  },
});

function shapeOf({ branches, group, arrangement }: ParallelizeSettings) {
  return { branches, group, arrangement };
}

function optionsOf(own: ParallelizeSettings, context: TechniqueContext): ParallelizeOptions {
  const { data, session, recovery, signal } = context;
  const selection = data.datasets && {
    data: data.datasets.calibration,
    session,
    ...(data.batch !== undefined && { batch: data.batch }),
  };
  return {
    ...shapeOf(own),
    signal,
    ...(own.depth !== undefined && { depth: own.depth }),
    ...(selection && { selection }),
    ...(recovery && { recovery }),
  };
}

function tell(event: ParallelizeEvent, { say, progress }: TechniqueContext): void {
  if (event.type === "survey") {
    const runs = event.runs.map(
      ({ blocks, period }) => `${blocks} blocks of ${period} residual step${period === 1 ? "" : "s"}`,
    );
    say(`found ${runs.join(", ")}`);
  }
  if (event.type === "window") progress({ stage: "measure", done: event.done, total: event.total, detail: "parts" });
  if (event.type === "depth") progress({ stage: "measure", done: event.done, total: event.total, detail: "depths" });
  if (event.type === "plan") say(`parallel parts: ${event.plan.windows.length}, sequential depth ${event.depth}`);
}

/** Those that were measured; those of the plan where none were. */
function windowFacts({ windows, plan }: Omit<Parallelized, "model">, length: number): WindowFacts[] {
  const keyOf = ({ run, first }: Window) => `${run} ${first}`;
  const chosen = new Set(plan.windows.map(keyOf));
  const all: readonly (Window & { readonly divergence?: number })[] = windows.length > 0 ? windows : plan.windows;
  return all.map((window) => ({
    place: `run ${window.run + 1}, blocks ${window.first + 1} to ${window.first + length}`,
    ...(window.divergence !== undefined && { divergence: window.divergence }),
    isParallel: chosen.has(keyOf(window)),
  }));
}

/** The original in one session against the result on `workers` workers, in turns. */
async function spreadLatency(
  model: Model,
  { workers }: ParallelizeSettings,
  { data, original, session, seed, signal, say }: TechniqueContext,
): Promise<Spread | undefined> {
  if (workers === undefined) return undefined;
  const { feeds, count } = await data.timed();
  await using many = await openPartition(partitionBranches(model, workers), session);
  const times = await compareLatency(original, many, feeds, { seed, signal });
  say(`${workers} workers: ${times.ratio.toFixed(2)} times the speed of the original`);
  return { workers, ...session, ep: original.ep, batch: count, ...times };
}

/** Accuracy where there are labels, else divergence, of the best plan of every depth. */
function depthChart({ curve, depth }: ParallelizeEvidence["found"], { accuracy }: Comparison): ChartSection {
  const shows = accuracy !== undefined && curve.every((point) => point.accuracy !== undefined);
  const name = shows ? "accuracy" : "divergence";
  const points = curve.map((point) => [point.depth, point[name] ?? Number.NaN] as const);
  const series = [{ name: "best plan of every depth before training, on the samples that choose", points }];
  const ends = [
    { name: "original, on samples that verify", points: [[depth.before, accuracy?.a ?? Number.NaN] as const] },
    { name: "result, on samples that verify", points: [[depth.after, accuracy?.b ?? Number.NaN] as const] },
  ];
  return {
    kind: "chart",
    title: `${shows ? "Accuracy" : "Divergence"} against sequential depth`,
    label: "Quality over sequential depth",
    x: "sequential depth in blocks",
    y: name,
    series: shows ? [...series, ...ends] : series,
    empty: "No samples were given to measure depths on.",
  };
}

function windowTable(windows: readonly WindowFacts[]): TableSection {
  return {
    kind: "table",
    title: "What each part costs",
    head: ["part", "divergence alone", "now"],
    rows: windows.map(({ place, divergence, isParallel }) => ({
      cells: [
        place,
        divergence === Number.POSITIVE_INFINITY ? "no bound" : (divergence ?? null),
        isParallel ? "parallel" : null,
      ],
      isChosen: isParallel,
    })),
  };
}

function rounded(depth: number): string {
  return String(Number(depth.toPrecision(3)));
}
