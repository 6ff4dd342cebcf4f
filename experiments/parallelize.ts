/** @file A trained serial vision transformer made parallel: accuracy before, after regrouping and after distillation. */
import { type Dataset, inMemory, openData, random, split } from "../src/data/index.ts";
import { type Model, tensorFromNumbers } from "../src/ir/index.ts";
import { bootstrapInterval, compareLatency, measureAgreement, median } from "../src/measure/index.ts";
import { vit } from "../src/models/index.ts";
import {
  type ArrangementName,
  arrangements,
  type DepthPoint,
  fullPlan,
  parallelize,
  parallelizeBlocks,
  partitionBranches,
  surveyBlocks,
} from "../src/parallel/index.ts";
import { type Feeds, openPartition, openSession, type Session } from "../src/runtime/index.ts";
import { adamw, evaluateModel, type FitOptions, fit } from "../src/train/index.ts";
import { type Experiment, type ExperimentContext, markdownTable } from "./experiment.ts";
import {
  everyOne,
  intervalText,
  isAbove,
  isAtLeast,
  type Judgement,
  meanInterval,
  overSeeds,
  points,
  ratio as shown,
} from "./judgement.ts";

const DEPTH = 12;
const SAMPLES = 10_000;
const TEST_SAMPLES = 5000;
const TEACHER_EPOCHS = 4;
const RECOVERY_EPOCHS = 2;
/** Branches side by side: 6 × 2 and 4 × 3. */
const BRANCHES = [2, 3] as const;

type Settings = Pick<FitOptions, "batch" | "clip" | "schedule" | "session" | "seed">;

interface Parts {
  readonly training: Dataset;
  readonly selection: Dataset;
  readonly test: Dataset;
}

interface Recovered {
  readonly branches: number;
  readonly depth: number;
  /** Test accuracy of the regrouped model before any training, by arrangement. */
  readonly regrouped: Readonly<Record<ArrangementName, number>>;
  readonly distilled: number;
  readonly curve: readonly DepthPoint[];
}

interface Row {
  readonly seed: number;
  readonly parameters: number;
  readonly serial: number;
  /** The serial network trained on for as many epochs as the recovery takes. */
  readonly serialLonger: number;
  readonly recovered: readonly Recovered[];
  /** The model of the most branches after as many epochs on the labels alone. */
  readonly labelsAlone: number;
}

interface Latency {
  readonly width: number;
  readonly tokens: number;
  /** How it was run: depth × branches on two workers, or the serial network. */
  readonly form: string;
  /** The serial network's time on one thread over the form's. */
  readonly ratio: number;
  readonly spread: readonly [number, number];
  /** Milliseconds, medians and least. */
  readonly serial: { readonly p50: number; readonly min: number };
  readonly time: { readonly p50: number; readonly min: number };
  /** Largest difference of an output between the form run so and in one session. */
  readonly difference?: number;
}

interface Result {
  readonly rows: readonly Row[];
  readonly latencies: readonly Latency[];
}

function network(seed: number): Model {
  return vit(random(seed), {
    channels: 1,
    size: 28,
    patch: 7,
    width: 64,
    depth: DEPTH,
    heads: 4,
    expansion: 2,
    classes: 10,
  });
}

async function accuracyOf(model: Model, data: Dataset): Promise<number> {
  const { accuracy } = await evaluateModel(model, { data, loss: "crossEntropy", metrics: ["accuracy"], batch: 250 });
  return accuracy!;
}

async function trained(model: Model, data: Dataset, epochs: number, learningRate: number, settings: Settings) {
  const optimizer = adamw({ weightDecay: 0.05 });
  const run = fit(model, { ...settings, data, epochs, learningRate, optimizer, loss: "crossEntropy" });
  return await run.result;
}

async function recovered(serial: Model, branches: number, parts: Parts, settings: Settings): Promise<Recovered> {
  const survey = surveyBlocks(serial);
  const regrouped: [string, number][] = [];
  for (const arrangement of Object.keys(arrangements) as ArrangementName[]) {
    const changed = parallelizeBlocks(serial, fullPlan(survey, { branches, arrangement }));
    regrouped.push([arrangement, await accuracyOf(changed, parts.test)]);
  }
  const { model, depth, curve } = await parallelize(serial, {
    branches,
    selection: { data: parts.selection, batch: 256 },
    recovery: { ...settings, data: parts.training, epochs: RECOVERY_EPOCHS },
  }).result;
  return {
    branches,
    depth: depth.after,
    regrouped: Object.fromEntries(regrouped) as Recovered["regrouped"],
    distilled: await accuracyOf(model, parts.test),
    curve,
  };
}

async function oneSeed(
  seed: number,
  all: Dataset,
  test: Dataset,
  { once, log }: Pick<ExperimentContext, "once" | "log">,
): Promise<Row> {
  const { calibration: training, evaluation: selection } = await split(all, {
    calibration: SAMPLES,
    evaluation: 500,
    seed,
  });
  const parts: Parts = { training, selection, test };
  const settings = { batch: 64, clip: 1, schedule: "warmup", session: { threads: 1 }, seed } as const;
  const { model: serial, report } = await trained(network(seed), training, TEACHER_EPOCHS, 1e-3, settings);
  const before = await accuracyOf(serial, test);
  log(`seed ${seed}: serial ${before} after ${report.seconds.toFixed(0)} s`);
  const rows: Recovered[] = [];
  for (const branches of BRANCHES) {
    const row = await once(`seed ${seed}, ${branches} branches`, () => recovered(serial, branches, parts, settings));
    log(`seed ${seed}, ${branches} branches: ${JSON.stringify(row)}`);
    rows.push(row);
  }
  const longer = await trained(serial, training, RECOVERY_EPOCHS, 5e-4, settings);
  const plan = fullPlan(surveyBlocks(serial), { branches: BRANCHES.at(-1)! });
  const alone = await trained(parallelizeBlocks(serial, plan), training, RECOVERY_EPOCHS, 5e-4, settings);
  return {
    seed,
    parameters: report.parameters,
    serial: before,
    serialLonger: await accuracyOf(longer.model, test),
    recovered: rows,
    labelsAlone: await accuracyOf(alone.model, test),
  };
}

const WORKERS = 2;
/** Widths and tokens of vision transformers of depth 12 with patches of 4. */
const SIZES = [
  { width: 64, tokens: 16 },
  { width: 192, tokens: 64 },
  { width: 192, tokens: 196 },
] as const;

/** Batch 1, in turns with the serial network on one thread. The weights are initial ones. */
async function latenciesOf({ width, tokens }: (typeof SIZES)[number]): Promise<Latency[]> {
  const size = 4 * Math.sqrt(tokens);
  const serial = vit(random(1), { channels: 3, size, patch: 4, width, depth: DEPTH, heads: width / 64 });
  const x = tensorFromNumbers("float32", [1, 3, size, size], Float64Array.from({ length: 3 * size * size }, Math.sin));
  const feeds = new Map([["input", x]]);
  await using one = await openSession(serial, { threads: 1 });
  const against = async (form: string, session: Session, alone?: Session): Promise<Latency> => {
    const { a, b, ratio, spread } = await compareLatency(one, session, feeds, { rounds: 60, seconds: 8, slot: 20 });
    const agreement = alone && (await measureAgreement(alone, session, [{ feeds }]));
    return {
      width,
      tokens,
      form,
      ratio,
      spread,
      serial: a,
      time: b,
      ...(agreement && { difference: agreement.maxAbs }),
    };
  };
  await using twin = await openSession(serial, { threads: 1 });
  await using two = await openSession(serial, { threads: WORKERS });
  const found = [
    { width, tokens, ...(await besideItself(one, twin, feeds)) },
    await against(`serial, ${WORKERS} threads`, two),
  ];
  for (const branches of [2, 3, 4]) {
    const changed = parallelizeBlocks(serial, fullPlan(surveyBlocks(serial), { branches }));
    await using alone = await openSession(changed, { threads: 1 });
    await using spread = await openPartition(partitionBranches(changed, WORKERS), { threads: 1 });
    found.push(await against(`${DEPTH / branches} × ${branches}, ${WORKERS} workers`, spread, alone));
  }
  return found;
}

const BESIDE = "serial beside itself";

/** What a second core is worth on this machine now: the serial network alone against while its twin runs too. */
async function besideItself(one: Session, twin: Session, feeds: Feeds) {
  const times = { alone: [] as number[], both: [] as number[] };
  const ratios: number[] = [];
  for (let round = 0; round < 20; round++) {
    const alone = await one.time(feeds, 10);
    const [both] = await Promise.all([one.time(feeds, 10), twin.time(feeds, 10)]);
    ratios.push(median(alone.times) / median(both.times));
    times.alone.push(...alone.times);
    times.both.push(...both.times);
  }
  const spread = bootstrapInterval(ratios, median, { seed: 0 });
  const of = (list: readonly number[]) => ({ p50: median(list), min: Math.min(...list) });
  return { form: BESIDE, ratio: median(ratios), spread, serial: of(times.alone), time: of(times.both) };
}

const percent = (x: number) => `${(100 * x).toFixed(2)} %`;

function meanAndDeviation(values: readonly number[]): string {
  const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
  const squares = values.reduce((sum, x) => sum + (x - mean) ** 2, 0);
  return `${percent(mean)} ± ${percent(Math.sqrt(squares / Math.max(1, values.length - 1)))}`;
}

function accuracies({ rows }: Result): string {
  const cells = BRANCHES.map((branches, i) => {
    const of = (pick: (found: Recovered) => number) =>
      meanAndDeviation(rows.map(({ recovered: found }) => pick(found[i]!)));
    return [
      `${DEPTH / branches} × ${branches}`,
      of(({ regrouped }) => regrouped.blocks),
      of(({ regrouped }) => regrouped.sublayers),
      of(({ regrouped }) => regrouped.merged),
      of(({ distilled }) => distilled),
      branches === BRANCHES.at(-1) ? meanAndDeviation(rows.map(({ labelsAlone }) => labelsAlone)) : "–",
    ];
  });
  const serial = meanAndDeviation(rows.map((row) => row.serial));
  const longer = meanAndDeviation(rows.map((row) => row.serialLonger));
  return [
    `Test accuracy over ${rows.length} seeds. Serial: ${serial}; trained on for ${RECOVERY_EPOCHS} epochs: ${longer}.`,
    markdownTable(
      ["depth × branches", "regrouped", "sublayers", "merged", `distilled, ${RECOVERY_EPOCHS} epochs`, "labels alone"],
      cells,
    ),
  ].join("\n\n");
}

/** Validation accuracy by depth before training, parts chosen by sensitivity. */
function curves({ rows }: Result): string {
  const lines = BRANCHES.flatMap((branches, i) => {
    const points = rows[0]?.recovered[i]?.curve ?? [];
    return points.map(({ depth }, k) => {
      const found = rows.map(({ recovered: all }) => all[i]!.curve[k]!);
      const divergence = found.reduce((sum, point) => sum + point.divergence, 0) / found.length;
      return [branches, depth, meanAndDeviation(found.map(({ accuracy }) => accuracy!)), divergence.toFixed(3)];
    });
  });
  return markdownTable(["branches", "sequential depth", "accuracy without training", "divergence in nats"], lines);
}

function speeds({ latencies }: Result): string {
  const row = ({ width, tokens, form, ratio, spread, serial, time }: Latency) => [
    width,
    tokens,
    form,
    `${ratio.toFixed(2)}× (${spread[0].toFixed(2)} to ${spread[1].toFixed(2)})`,
    `${(serial.min / time.min).toFixed(2)}×`,
    `${serial.min.toFixed(2)} → ${time.min.toFixed(2)}`,
  ];
  return [
    "Latency on the CPU at batch 1 against the serial network on one thread, in turns; a worker has one thread. Above 1 is faster.",
    `Two workers need two free cores. Where the ${BESIDE} is below 0.9×, other programs held the second one, and the figures of that size say nothing.`,
    markdownTable(
      ["width", "tokens", "form", "ratio of medians (95 %)", "ratio of least times", "least times, ms"],
      latencies.map(row),
    ),
    verdict(latencies),
  ].join("\n\n");
}

const FASTER = 1.5;

function verdict(latencies: readonly Latency[]): string {
  const regrouped = latencies.filter(({ form }) => form.endsWith("workers"));
  const fast = regrouped.filter(({ ratio }) => ratio >= FASTER);
  const named = (list: readonly Latency[]) =>
    list.map(({ form, width, tokens }) => `${form} at ${width}/${tokens}`).join("; ") || "none";
  return `At least ${FASTER} times as fast, as form at width/tokens: ${named(fast)}. Every stage ends in a sum between the workers, a message to the runtime and two copies, whose time the blocks between two sums have to outweigh: 3 × 4 has three sums, 6 × 2 six. 4 × 3 has three branches for two workers, one of which computes two of them: 12 blocks in the time of 8 are the most that it can reach, 1.5 times.`;
}

export const parallelizeExperiment: Experiment<Result> = {
  name: "parallelize",
  claim:
    "A trained serial transformer of depth 12 becomes 6 × 2 or 4 × 3 by regrouping its blocks, a short distillation from itself brings the accuracy back, and two workers run it faster than one thread.",
  source:
    "Three things everyone should know about ViT (arXiv:2203.09795), Para-Former (arXiv:2407.21670); the conversion by distillation is lithe's",
  workload: `Fashion-MNIST, ${SAMPLES} training pictures, 256 others to choose by, ${TEST_SAMPLES} for the test, seen once per network; ViT of width 64, 4 heads, 16 tokens, depth ${DEPTH}, ${TEACHER_EPOCHS} epochs; recovery ${RECOVERY_EPOCHS} epochs. Latency: ViTs of depth ${DEPTH} with initial weights`,
  seeds: [1, 2, 3],
  criterion:
    "after distillation the mean test accuracy is at most 1 point below that of the serial network, and two workers of one thread run 6 × 2 at least 1.5 times as fast as one thread runs the serial network, at batch 1, in some size; and, on equal cores and said after a first look, faster than two threads run it",
  async run({ shared, once, log }) {
    const latencies: Latency[] = [];
    for (const size of SIZES) {
      const key = `latency at width ${size.width}, ${size.tokens} tokens`;
      latencies.push(...(await once(key, () => latenciesOf(size))));
    }
    const port = { name: "input", dtype: "float32", dims: ["batch", 1, 28, 28] } as const;
    const open = (name: string) => openData(`${shared}/data/fashion-mnist/${name}-images-idx3-ubyte.gz`, { port });
    const training = await inMemory(await open("train"));
    const parts = await split(await open("t10k"), { calibration: TEST_SAMPLES, seed: 0 });
    const test = await inMemory(parts.calibration);
    const rows: Row[] = [];
    for (const seed of this.seeds)
      rows.push(await once(`seed ${seed}`, () => oneSeed(seed, training, test, { once, log })));
    return { rows, latencies };
  },
  judge: judgeResult,
  page(result) {
    return [accuracies(result), curves(result), speeds(result)].join("\n\n");
  },
};

function judgeResult({ rows, latencies }: Result): readonly Judgement[] {
  const two = latencies.filter(({ form }) => form.startsWith("6 × 2"));
  const named = ({ width, tokens, ratio, spread }: Pick<Latency, "width" | "tokens" | "ratio" | "spread">) =>
    `${width}/${tokens} ${shown(ratio)} (${intervalText(spread, shown)})`;
  const fast = two.map(({ spread }) => isAtLeast(spread, FASTER));
  return [
    ...BRANCHES.map((branches, i): Judgement => {
      const gains = rows.map(({ recovered: found, serial }) => found[i]!.distilled - serial);
      const longer = rows.map(({ recovered: found, serialLonger }) => found[i]!.distilled - serialLonger);
      return {
        what: `${DEPTH / branches} × ${branches} is at most 1 point below the serial network after distillation`,
        holds: isAtLeast(meanInterval(gains), -0.01),
        figure: `${overSeeds(gains, points)}; against the serial network trained on for as long ${overSeeds(longer, points)}`,
      };
    }),
    {
      what: `two workers run 6 × 2 at least ${FASTER} times as fast as one thread the serial network, in some size`,
      holds: fast.includes(true) || (fast.includes(undefined) ? undefined : false),
      figure: `width/tokens ${two.map(named).join("; ")}`,
      why: "each of six sums between the workers costs a message and two copies.",
    },
    everyOne(
      "on equal cores, two workers run 6 × 2 faster than two threads the serial network",
      two.map((workers) => ({ ...workers, ...overThreads(workers, latencies) })),
      ({ spread }) => isAbove(spread, 1),
      named,
    ),
  ];
}

/** The interval is the widest that those of both forms allow. */
function overThreads(workers: Latency, all: readonly Latency[]): Pick<Latency, "ratio" | "spread"> {
  const { width, tokens } = workers;
  const threads = all.find(
    (other) => other.form === `serial, ${WORKERS} threads` && other.width === width && other.tokens === tokens,
  );
  if (!threads) return { ratio: Number.NaN, spread: [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY] };
  return {
    ratio: workers.ratio / threads.ratio,
    spread: [workers.spread[0] / threads.spread[1], workers.spread[1] / threads.spread[0]],
  };
}
