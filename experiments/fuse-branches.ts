/** @file Para-Former with its branches side by side as nodes of their own, and fused: training step, load time, inference. */
import { random } from "../src/data/index.ts";
import { type Model, type Tensor, tensorFromNumbers } from "../src/ir/index.ts";
import { paraFormer } from "../src/models/index.ts";
import { cleanup, fuseBranches } from "../src/passes/index.ts";
import { compareLatency, median, openSession, quantile } from "../src/runtime/index.ts";
import { evaluate } from "../src/runtime/reference/index.ts";
import { trainingStep } from "../src/train/index.ts";
import { type Experiment, type ExperimentContext, markdownTable } from "./experiment.ts";

interface Shape {
  readonly depth: number;
  readonly branches: number;
  readonly width: number;
}

const shapes: readonly Shape[] = [
  { depth: 1, branches: 2, width: 128 },
  { depth: 1, branches: 4, width: 128 },
  { depth: 1, branches: 8, width: 128 },
  { depth: 2, branches: 8, width: 128 },
  { depth: 1, branches: 8, width: 64 },
];
const BATCHES = [1, 8, 32] as const;
const TRAINED_BATCH = 32;
const LOADS = 3;
const SECONDS = { train: 5, infer: 1 };

/** Fused / unrolled: median and 95 % interval. */
interface Ratio {
  readonly ratio: number;
  readonly spread: readonly [number, number];
  readonly fusedMs: number;
  readonly unrolledMs: number;
}

interface Row {
  readonly shape: Shape;
  readonly threads: number;
  readonly nodes: Pair;
  readonly stepNodes: Pair;
  /** Milliseconds until a session stands. */
  readonly load: Ratio;
  readonly stepLoad: Ratio;
  readonly step: Ratio;
  readonly inference: readonly { readonly batch: number; readonly latency: Ratio }[];
}

interface Pair {
  readonly unrolled: number;
  readonly fused: number;
}

interface Sides {
  readonly unrolled: Model;
  readonly fused: Model;
}

type Feeds = ReadonlyMap<string, Tensor>;

async function sidesOf({ depth, branches, width }: Shape): Promise<Sides> {
  const unrolled = paraFormer(random(1), { depth, branches, width, heads: width / 32 });
  const { model: fused } = await fuseBranches().run(unrolled);
  return { unrolled, fused };
}

function pictures(batch: number): Tensor {
  const source = random(2);
  const values = Float32Array.from({ length: batch * 3 * 32 * 32 }, () => source.normal());
  return tensorFromNumbers("float32", [batch, 3, 32, 32], values);
}

/** The step graph with everything that it takes. */
function stepOf(model: Model): { model: Model; feeds: Feeds } {
  const step = trainingStep(model, { loss: "crossEntropy", optimizer: "adamw", clip: 1 });
  const labels = Array.from({ length: TRAINED_BATCH }, (_, i) => i % 10);
  const feeds = new Map<string, Tensor>([
    ["input", pictures(TRAINED_BATCH)],
    [step.labels!, tensorFromNumbers("int64", [TRAINED_BATCH], labels)],
    [step.learningRate, tensorFromNumbers("float32", [], [1e-3])],
    [step.step, tensorFromNumbers("int64", [], [1])],
    ...step.state.map(({ name, initial }): [string, Tensor] => [name, initial]),
  ]);
  return { model: step.model, feeds };
}

async function loads(sides: Sides): Promise<Ratio> {
  const times: { fused: number; unrolled: number }[] = [];
  for (let i = 0; i < LOADS; i++) {
    const pair = { fused: 0, unrolled: 0 };
    for (const side of i % 2 === 0 ? (["fused", "unrolled"] as const) : (["unrolled", "fused"] as const)) {
      await using session = await openSession(sides[side], { threads: 1 });
      pair[side] = session.loadTime;
    }
    times.push(pair);
  }
  const ratios = times.map(({ fused, unrolled }) => fused / unrolled);
  return {
    ratio: median(ratios),
    spread: [quantile(ratios, 0), quantile(ratios, 1)],
    fusedMs: median(times.map(({ fused }) => fused)),
    unrolledMs: median(times.map(({ unrolled }) => unrolled)),
  };
}

async function timed(sides: Sides, feeds: { fused: Feeds; unrolled: Feeds }, threads: number, seconds: number) {
  await using fused = await openSession(sides.fused, { threads });
  await using unrolled = await openSession(sides.unrolled, { threads });
  const sent = { a: feeds.fused, b: feeds.unrolled };
  const { ratio, spread, a, b } = await compareLatency(fused, unrolled, sent, { seconds, warmup: 2, rounds: 200 });
  return { ratio, spread, fusedMs: a.p50, unrolledMs: b.p50 };
}

async function rowOf(shape: Shape, threads: number): Promise<Row> {
  const sides = await sidesOf(shape);
  const steps = { fused: stepOf(sides.fused), unrolled: stepOf(sides.unrolled) };
  const stepModels = { fused: steps.fused.model, unrolled: steps.unrolled.model };
  const stepFeeds = { fused: steps.fused.feeds, unrolled: steps.unrolled.feeds };
  const pass = cleanup({ evaluate: async (model, feeds) => evaluate(model, feeds, { precision: "declared" }) });
  const clean = {
    fused: (await pass.run(sides.fused)).model,
    unrolled: (await pass.run(sides.unrolled)).model,
  };
  const inference: Row["inference"][number][] = [];
  for (const batch of BATCHES) {
    const feeds = new Map([["input", pictures(batch)]]);
    const latency = await timed(clean, { fused: feeds, unrolled: feeds }, threads, SECONDS.infer);
    inference.push({ batch, latency });
  }
  const count = ({ fused, unrolled }: Sides): Pair => ({
    fused: fused.graph.nodes.length,
    unrolled: unrolled.graph.nodes.length,
  });
  return {
    shape,
    threads,
    nodes: count(clean),
    stepNodes: count(stepModels),
    load: await loads(clean),
    stepLoad: await loads(stepModels),
    step: await timed(stepModels, stepFeeds, threads, SECONDS.train),
    inference,
  };
}

const named = ({ depth, branches, width }: Shape): string => `Para-Former-${depth}-${branches}, width ${width}`;

const shown = ({ ratio, spread: [low, high] }: Ratio): string =>
  `${ratio.toFixed(2)} (${low.toFixed(2)}–${high.toFixed(2)})`;

const times = ({ ratio, spread: [low, high] }: Ratio): string =>
  `${(1 / ratio).toFixed(1)} (${(1 / high).toFixed(1)}–${(1 / low).toFixed(1)})`;

function page({ rows }: { readonly rows: readonly Row[] }): string {
  const table = markdownTable(
    [
      "network",
      "threads",
      "step, fused / unrolled",
      "step ms",
      ...BATCHES.map((batch) => `inference, batch ${batch}`),
      "nodes, step",
      "step loads × faster",
      "nodes, inference",
      "inference loads × faster",
    ],
    rows.map((row) => [
      named(row.shape),
      row.threads,
      shown(row.step),
      `${row.step.fusedMs.toFixed(0)} / ${row.step.unrolledMs.toFixed(0)}`,
      ...row.inference.map(({ latency }) => shown(latency)),
      `${row.stepNodes.fused} / ${row.stepNodes.unrolled}`,
      times(row.stepLoad),
      `${row.nodes.fused} / ${row.nodes.unrolled}`,
      times(row.load),
    ]),
  );
  const slower = rows.filter(({ step }) => step.spread[0] > 1);
  const eight = rows.filter(({ shape }) => shape.branches === 8);
  const loaded = eight.filter(({ stepLoad, load }) => stepLoad.ratio <= 1 / 3 && load.ratio <= 1 / 3).length;
  const stepsLoaded = eight.filter(({ stepLoad }) => stepLoad.ratio <= 1 / 3).length;
  return [
    table,
    "",
    `In ${rows.length - slower.length} of ${rows.length} rows the fused step is not slower with 95 % certainty. At n = 8 the graph of the step loads at least three times faster in ${stepsLoaded} of ${eight.length} rows, that of the step and that for inference in ${loaded}.`,
    ...(slower.length > 0
      ? ["", "Slower:", "", ...slower.map((row) => `- ${named(row.shape)}, ${row.threads} threads: ${shown(row.step)}`)]
      : []),
    "",
    "Below 1, fused is faster. Intervals are 95 % bootstrap intervals of the median; those of loads are the extremes.",
  ].join("\n");
}

export const fusedBranches: Experiment<{ readonly rows: readonly Row[] }> = {
  name: "fuse-branches",
  claim:
    "Fused branches train no slower than unrolled ones, and their graph loads at least three times faster at n = 8.",
  source: "lithe",
  workload: `Para-Former-m-n on ViT blocks (pictures of 3 × 32 × 32, 64 tokens, expansion 4, heads of 32), as nodes of its own per branch and fused by \`fuseBranches\`. Training step with AdamW and clipping at batch ${TRAINED_BATCH}; inference after \`cleanup\` at batches ${BATCHES.join(", ")}. CPU provider; both sessions take turns in one run. Load time is that of creating the session, ${LOADS} times each, in turn.`,
  seeds: [1],
  criterion:
    "the 95 % interval of the ratio of step times, fused / unrolled, does not lie above 1 in any row, and at n = 8 the graphs of the step and for inference load at least 3 times faster.",
  async run({ once, log }: ExperimentContext) {
    const rows: Row[] = [];
    for (const threads of [1, 2]) {
      for (const shape of shapes) {
        const row = await once(`${named(shape)}, ${threads}`, () => rowOf(shape, threads));
        rows.push(row);
        log(
          `${named(shape)}, ${threads} threads: step ${shown(row.step)}, loads ${times(row.stepLoad)}, ${times(row.load)}`,
        );
      }
    }
    return { rows };
  },
  page,
};
