/** @file Early exit on MNIST: one exported file, a picture at a time, against the whole network. */
import { evaluateWith } from "../src/accelerate/index.ts";
import {
  addExits,
  chooseThresholds,
  exitHead,
  exitTerms,
  exportEarlyExit,
  recordExits,
} from "../src/conditional/index.ts";
import { batches, type Dataset, inMemory, openData, random, split } from "../src/data/index.ts";
import { type Model, numbersOf, type Tensor, withGraph } from "../src/ir/index.ts";
import { mean, median, quantile } from "../src/measure/index.ts";
import { batchNorm, conv, dropout, linear, maxPool, network } from "../src/nn/index.ts";
import { encodeModel } from "../src/onnx/index.ts";
import { cleanup, eliminateDeadNodes } from "../src/passes/index.ts";
import { type Feeds, openSession, type Session } from "../src/runtime/index.ts";
import { adamw, fit } from "../src/train/index.ts";
import { type Experiment, markdownTable } from "./experiment.ts";
import { isAtLeast, isAtMost, meanInterval, overSeeds, points, ratio } from "./judgement.ts";
import { meanAndDeviation } from "./training-folder.ts";

const FASTER = 3;
const POINTS = 0.003;
/** What thresholds may lose on validation data; less than the bound, which holds on the test. */
const ALLOWED = 0.001;
const VALIDATION = 5000;
const EPOCHS = 1;

interface Row {
  readonly seed: number;
  /** Errors are of the test set. */
  readonly whole: number;
  readonly exited: number;
  readonly thresholds: readonly number[];
  readonly validation: { readonly whole: number; readonly exited: number };
  /** Shares of the test pictures by exit, the whole network last. */
  readonly shares: readonly number[];
  /** Milliseconds at batch 1, over the timed pictures. */
  readonly latency: Readonly<Record<"whole" | "exited", { readonly mean: number; readonly p99: number }>>;
}

export interface EarlyExitSets {
  readonly training: Dataset;
  readonly test: Dataset;
}

export interface EarlyExitSizes {
  readonly epochs: number;
  readonly validation: number;
  /** Test pictures that are timed. */
  readonly timed: number;
}

/** A stem of 16 channels at half the size, then two stages of two convolutions with 96 and 192. */
export function stagedConvNet(seed: number): Model {
  return network(random(seed), (n) => {
    const layer = (name: string, x: Parameters<typeof conv>[1], channels: number) => {
      const scope = n.scope(name);
      return n.op("Relu", [batchNorm(scope, conv(scope, x, channels, { kernel: 3, bias: false }))]);
    };
    const stem = conv(n.scope("stem"), n.input("input", "float32", ["batch", 1, 28, 28]), 16, { kernel: 5, stride: 2 });
    let y = n.op("Relu", [stem]);
    for (const [i, channels] of [96, 192].entries()) {
      y = maxPool(n, layer(`stage${i}b`, layer(`stage${i}a`, y, channels), channels), { kernel: 2 });
    }
    n.output(linear(n.scope("head"), dropout(n, n.op("Flatten", [y], { axis: 1 }), 0.2), 10), "logits");
  });
}

/** Trains the network with its exits, chooses thresholds on validation pictures, exports, and measures on the test's. */
export async function measureEarlyExit(seed: number, sets: EarlyExitSets, sizes: EarlyExitSizes): Promise<Row> {
  const { training, test } = sets;
  const parts = await split(training, {
    calibration: training.size - sizes.validation,
    evaluation: sizes.validation,
    seed,
  });
  const added = addExits(stagedConvNet(seed), random(seed, 1), { at: 2, head: exitHead({ grid: 7, hidden: 64 }) });
  const { model } = await fit(added.model, {
    data: parts.calibration,
    epochs: sizes.epochs,
    batch: 64,
    loss: "crossEntropy",
    output: "logits",
    terms: exitTerms(added, "crossEntropy", [1, 0.5]),
    optimizer: adamw({ weightDecay: 0.05 }),
    learningRate: 3e-3,
    schedule: "warmup",
    seed,
    session: { threads: 1 },
  }).result;
  const { model: clean } = await cleanup({ evaluate: evaluateWith(openSession) }).run(model);
  const labelled = batches(parts.evaluation, { batch: 250 });
  const records = await recordExits(clean, labelled, { ...added, open: openSession });
  const share = (right: readonly boolean[]) => right.filter(Boolean).length / right.length;
  const whole = share(records.right.at(-1)!);
  const timings = await exitTimes(clean, added.exits, test);
  const chosen = chooseThresholds(records, { costs: timings, bound: { accuracy: whole - ALLOWED } });
  const exported = await exportEarlyExit(clean, { ...added, thresholds: chosen.thresholds });
  const measured = await measureFiles(await onlyWhole(clean), exported, test, sizes.timed);
  return { seed, thresholds: chosen.thresholds, validation: { whole, exited: chosen.accuracy }, ...measured };
}

/** The network without its exits, as its users run it. */
async function onlyWhole(model: Model): Promise<Model> {
  const outputs = model.graph.outputs.filter(({ name }) => name === "logits");
  return (await eliminateDeadNodes().run(withGraph(model, { ...model.graph, outputs }))).model;
}

/** Milliseconds of a picture that leaves at each exit, measured on exports that always leave there. */
async function exitTimes(model: Model, exits: readonly string[], data: Dataset): Promise<number[]> {
  const [first] = await collected(data, 1);
  const times: number[] = [];
  for (let k = 0; k <= exits.length; k++) {
    const thresholds = exits.map((_, i) => (i < k ? 2 : -1));
    await using session = await stock(await exportEarlyExit(model, { exits, thresholds }));
    const { times: own } = await session.time(first!.feeds, 50);
    times.push(Math.max(median(own), times.at(-1) ?? 0));
  }
  return times;
}

/** The bytes of the file on ONNX Runtime's own defaults, one thread. */
function stock(model: Model): Promise<Session> {
  return openSession(encodeModel(model), { stock: true, threads: 1 });
}

interface Picture {
  readonly feeds: Feeds;
  readonly label: number;
}

async function collected(data: Dataset, limit: number): Promise<Picture[]> {
  const pictures: Picture[] = [];
  for await (const { feeds, labels } of batches(data, { batch: 1, limit }))
    pictures.push({ feeds, label: labels![0]! });
  return pictures;
}

type Measured = Pick<Row, "whole" | "exited" | "shares" | "latency">;

/** Answers of both files to every test picture, one at a time; times of the first ones, in turn. */
async function measureFiles(whole: Model, exited: Model, test: Dataset, timed: number): Promise<Measured> {
  await using a = await stock(whole);
  await using b = await stock(exited);
  const pictures = await collected(test, test.size);
  const wrong = { whole: 0, exited: 0 };
  const times = { whole: [] as number[], exited: [] as number[] };
  const taken = [0, 0, 0];
  for (const [i, { feeds, label }] of pictures.entries()) {
    const [first, second] = [await a.run(feeds), await b.run(feeds)];
    if (bestOf(first.get("logits")!) !== label) wrong.whole++;
    if (bestOf(second.get("logits")!) !== label) wrong.exited++;
    const exit = numbersOf(second.get("exit")!)[0]!;
    taken[exit]!++;
    if (i >= timed) continue;
    times.whole.push(median((await a.time(feeds, 3)).times));
    times.exited.push(median((await b.time(feeds, 3)).times));
  }
  const described = (list: readonly number[]) => ({ mean: mean(list), p99: quantile(list, 0.99) });
  return {
    whole: wrong.whole / pictures.length,
    exited: wrong.exited / pictures.length,
    shares: taken.map((count) => count / pictures.length),
    latency: { whole: described(times.whole), exited: described(times.exited) },
  };
}

function bestOf(logits: Tensor): number {
  const values = numbersOf(logits);
  return values.indexOf(Math.max(...values));
}

export const earlyExit: Experiment<readonly Row[]> = {
  name: "early-exit",
  claim: "With early exits the mean latency of a picture falls several times at the same accuracy.",
  source: "BranchyNet, Teerapittayanon et al. (2016), arXiv:1709.01686",
  workload: `MNIST: 60,000 training pictures (${VALIDATION} of them only choose the thresholds), 10,000 for the test, seen once per network; five convolutions, exits after the first and the third, trained together, ${EPOCHS} epoch; the exported file on ONNX Runtime's own defaults, cpu provider, 1 thread, batch 1; 2,000 test pictures timed in turn with the whole network`,
  seeds: [1, 2, 3],
  criterion: `mean latency at least ${FASTER} times lower than the whole network's at most ${100 * POINTS} points less accurate, means over the seeds`,
  async run({ shared, once, log }) {
    const port = { name: "input", dtype: "float32", dims: ["batch", 1, 28, 28] } as const;
    const open = async (name: string) =>
      inMemory(await openData(`${shared}/data/mnist/${name}-images-idx3-ubyte.gz`, { port }));
    const sets = { training: await open("train"), test: await open("t10k") };
    const rows: Row[] = [];
    for (const seed of this.seeds) {
      const sizes = { epochs: EPOCHS, validation: VALIDATION, timed: 2000 };
      rows.push(await once(`seed ${seed}`, () => measureEarlyExit(seed, sets, sizes)));
      log(`seed ${seed}: ${JSON.stringify(rows.at(-1))}`);
    }
    return rows;
  },
  judge(rows) {
    const ratios = rows.map(({ latency }) => latency.whole.mean / latency.exited.mean);
    const losses = rows.map(({ whole, exited }) => exited - whole);
    return [
      {
        what: `mean latency is at least ${FASTER} times lower than the whole network's`,
        holds: isAtLeast(meanInterval(ratios), FASTER),
        figure: `${overSeeds(ratios, ratio)} times`,
      },
      {
        what: `at most ${100 * POINTS} points are lost`,
        holds: isAtMost(meanInterval(losses), POINTS),
        figure: overSeeds(losses, points),
      },
    ];
  },
  page: pageOf,
};

function pageOf(rows: readonly Row[]): string {
  const percent = (x: number) => `${(100 * x).toFixed(2)} %`;
  const ratioOf = ({ latency }: Row) => latency.whole.mean / latency.exited.mean;
  const table = markdownTable(
    ["seed", "test, whole", "test, exits", "leave at exit 1, 2, never", "mean ms", "p99 ms", "times faster"],
    rows.map((row) => [
      row.seed,
      percent(1 - row.whole),
      percent(1 - row.exited),
      row.shares.map(percent).join(", "),
      `${row.latency.whole.mean.toFixed(3)} → ${row.latency.exited.mean.toFixed(3)}`,
      `${row.latency.whole.p99.toFixed(3)} → ${row.latency.exited.p99.toFixed(3)}`,
      ratioOf(row).toFixed(2),
    ]),
  );
  const ratios = meanAndDeviation(rows.map(ratioOf));
  const losses = meanAndDeviation(rows.map(({ whole, exited }) => exited - whole));
  return [
    table,
    `${ratios.mean.toFixed(2)} ± ${ratios.deviation.toFixed(2)} times lower mean latency for ${(100 * losses.mean).toFixed(2)} ± ${(100 * losses.deviation).toFixed(2)} points; a picture that never leaves pays for the exits that it passes.`,
  ].join("\n\n");
}
