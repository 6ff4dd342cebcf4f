/** @file Para-Former with its branches as nodes of their own, fused, and as a loop: training step, load time, inference. */

import { fuseBranches, rollBranches } from "../src/branches/index.ts";
import { random } from "../src/data/index.ts";
import { type Model, type Tensor, tensorFromNumbers } from "../src/ir/index.ts";
import { compareLatency, median, quantile } from "../src/measure/index.ts";
import { paraFormer } from "../src/models/index.ts";
import { cleanup } from "../src/passes/index.ts";
import { evaluate } from "../src/reference/index.ts";
import { openSession } from "../src/runtime/index.ts";
import { trainingStep } from "../src/train/index.ts";
import { type Experiment, type ExperimentContext, markdownTable } from "./experiment.ts";
import type { Judgement } from "./judgement.ts";

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

const forms = { fused: fuseBranches, rolled: rollBranches };
type FormName = keyof typeof forms;

/** One graph for all branches / unrolled: median and 95 % interval. */
interface Ratio {
  readonly ratio: number;
  readonly spread: readonly [number, number];
  readonly joinedMs: number;
  readonly unrolledMs: number;
}

interface Row {
  readonly form: FormName;
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
  readonly joined: number;
}

interface Sides {
  readonly unrolled: Model;
  readonly joined: Model;
}

type Feeds = ReadonlyMap<string, Tensor>;

async function sidesOf({ depth, branches, width }: Shape, form: FormName): Promise<Sides> {
  const unrolled = paraFormer(random(1), { depth, branches, width, heads: width / 32 });
  const { model: joined } = await forms[form]().run(unrolled);
  return { unrolled, joined };
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
  const times: { joined: number; unrolled: number }[] = [];
  for (let i = 0; i < LOADS; i++) {
    const pair = { joined: 0, unrolled: 0 };
    for (const side of i % 2 === 0 ? (["joined", "unrolled"] as const) : (["unrolled", "joined"] as const)) {
      await using session = await openSession(sides[side], { threads: 1 });
      pair[side] = session.loadTime;
    }
    times.push(pair);
  }
  const ratios = times.map(({ joined, unrolled }) => joined / unrolled);
  return {
    ratio: median(ratios),
    spread: [quantile(ratios, 0), quantile(ratios, 1)],
    joinedMs: median(times.map(({ joined }) => joined)),
    unrolledMs: median(times.map(({ unrolled }) => unrolled)),
  };
}

async function timed(sides: Sides, feeds: { joined: Feeds; unrolled: Feeds }, threads: number, seconds: number) {
  await using joined = await openSession(sides.joined, { threads });
  await using unrolled = await openSession(sides.unrolled, { threads });
  const sent = { a: feeds.joined, b: feeds.unrolled };
  const { ratio, spread, a, b } = await compareLatency(joined, unrolled, sent, { seconds, warmup: 2, rounds: 200 });
  return { ratio, spread, joinedMs: a.p50, unrolledMs: b.p50 };
}

async function rowOf(shape: Shape, threads: number, form: FormName): Promise<Row> {
  const sides = await sidesOf(shape, form);
  const steps = { joined: stepOf(sides.joined), unrolled: stepOf(sides.unrolled) };
  const stepModels = { joined: steps.joined.model, unrolled: steps.unrolled.model };
  const stepFeeds = { joined: steps.joined.feeds, unrolled: steps.unrolled.feeds };
  const pass = cleanup({ evaluate: async (model, feeds) => evaluate(model, feeds, { precision: "declared" }) });
  const clean = {
    joined: (await pass.run(sides.joined)).model,
    unrolled: (await pass.run(sides.unrolled)).model,
  };
  const inference: Row["inference"][number][] = [];
  for (const batch of BATCHES) {
    const feeds = new Map([["input", pictures(batch)]]);
    const latency = await timed(clean, { joined: feeds, unrolled: feeds }, threads, SECONDS.infer);
    inference.push({ batch, latency });
  }
  const count = ({ joined, unrolled }: Sides): Pair => ({
    joined: joined.graph.nodes.length,
    unrolled: unrolled.graph.nodes.length,
  });
  return {
    form,
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
      "form",
      "step, form / unrolled",
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
      row.form,
      shown(row.step),
      `${row.step.joinedMs.toFixed(0)} / ${row.step.unrolledMs.toFixed(0)}`,
      ...row.inference.map(({ latency }) => shown(latency)),
      `${row.stepNodes.joined} / ${row.stepNodes.unrolled}`,
      times(row.stepLoad),
      `${row.nodes.joined} / ${row.nodes.unrolled}`,
      times(row.load),
    ]),
  );
  return [table, ...(Object.keys(forms) as FormName[]).map((form) => verdict(form, rows)), NOTE].join("\n\n");
}

const NOTE =
  "Below 1, the form is faster. Intervals are 95 % bootstrap intervals of the median; those of loads are the extremes. Fused operators work on n times as much at once, which leaves the cache; the loop computes a branch at a time, as the unrolled graph does, in fewer nodes. At inference the unrolled graph has its weights packed at load, which the runtime does for constant matrices alone.";

function verdict(form: FormName, all: readonly Row[]): string {
  const rows = all.filter((row) => row.form === form);
  const slower = rows.filter(({ step }) => step.spread[0] > 1);
  const eight = rows.filter(({ shape }) => shape.branches === 8);
  const fast = (load: "stepLoad" | "load") => eight.filter((row) => row[load].ratio <= 1 / 3).length;
  const where = slower.map((row) => `${named(row.shape)}, ${row.threads} threads: ${shown(row.step)}`).join("; ");
  return [
    `**${form}**: the step is slower with 95 % certainty in ${slower.length} of ${rows.length} rows${where && ` (${where})`}.`,
    `At n = 8 the graph of the step loads at least three times faster in ${fast("stepLoad")} of ${eight.length} rows, that for inference in ${fast("load")}.`,
  ].join(" ");
}

export const fusedBranches: Experiment<{ readonly rows: readonly Row[] }> = {
  name: "fuse-branches",
  claim:
    "One graph for all branches trains no slower than one for each, and loads at least three times faster at n = 8.",
  source: "lithe",
  workload: `Para-Former-m-n on ViT blocks (pictures of 3 × 32 × 32, 64 tokens, expansion 4, heads of 32), as nodes of its own per branch, fused by \`fuseBranches\` (operators over all branches) and rolled by \`rollBranches\` (a loop over stacked weights). Training step with AdamW and clipping at batch ${TRAINED_BATCH}; inference after \`cleanup\` at batches ${BATCHES.join(", ")}. CPU provider; both sessions take turns in one run. Load time is that of creating the session, ${LOADS} times each, in turn.`,
  seeds: [1],
  criterion:
    "for one form, the 95 % interval of the ratio of step times to the unrolled graph does not lie above 1 in any row, and at n = 8 the graph of the step loads at least 3 times faster.",
  async run({ once, log }: ExperimentContext) {
    const rows: Row[] = [];
    for (const threads of [1, 2]) {
      for (const shape of shapes) {
        for (const form of Object.keys(forms) as FormName[]) {
          const row = await once(`${named(shape)}, ${threads}, ${form}`, () => rowOf(shape, threads, form));
          rows.push(row);
          log(`${named(shape)}, ${threads} threads, ${form}: ${shown(row.step)}, loads ${times(row.stepLoad)}`);
        }
      }
    }
    return { rows };
  },
  judge: ({ rows }) => {
    const of = (form: FormName) => rows.filter((row) => row.form === form);
    const slower = (form: FormName) => of(form).filter(({ step }) => step.spread[0] > 1).length;
    const eight = (form: FormName) => of(form).filter(({ shape }) => shape.branches === 8);
    const fast = (form: FormName) => eight(form).filter(({ stepLoad }) => stepLoad.ratio <= 1 / 3).length;
    const names = Object.keys(forms) as FormName[];
    const least = names.reduce((best, form) => (slower(form) < slower(best) ? form : best));
    const told = (count: (form: FormName) => string) => names.map((form) => `${form} ${count(form)}`).join(", ");
    return [
      {
        what: `for one form (${least}) the step is certainly slower in no row`,
        holds: of(least).length > 0 ? slower(least) === 0 : undefined,
        figure: `slower by the whole 95 % interval: ${told((form) => `${slower(form)} of ${of(form).length}`)}`,
      },
      {
        what: `at n = 8 the graph of its step loads at least 3 times faster`,
        holds: eight(least).length > 0 ? fast(least) === eight(least).length : undefined,
        figure: told((form) => `${fast(form)} of ${eight(form).length}`),
      },
    ] satisfies Judgement[];
  },
  page,
};
