/** @file Zeros in weights: how many a convolutional network can do without. */
import { gzipSync } from "node:zlib";
import { type Dataset, inMemory, loadBatch, openData, random, split } from "../src/data/index.ts";
import { type Model, sparseInitializers, type Tensor } from "../src/ir/index.ts";
import { batchNorm, conv, dropout, type Layers, linear, maxPool, network } from "../src/nn/index.ts";
import { decodeModel, encodeModel } from "../src/onnx/index.ts";
import { gradualSparsity, sparsifyModel } from "../src/prune/index.ts";
import { openSession } from "../src/runtime/index.ts";
import { adamw, evaluateModel, type FitOptions, fit, warmup } from "../src/train/index.ts";
import { type Experiment, type ExperimentContext, markdownTable } from "./experiment.ts";
import { everyOne, isAtMost, meanInterval, overSeeds, points } from "./judgement.ts";
import { onceModel } from "./once-model.ts";
import { trainResumably } from "./training-folder.ts";

const SPARSITY = 0.925;
const DROP = 0.01;
const SMALLER = 4;
const SEEDS = [1, 2, 3] as const;
const EPOCHS = 6;
const BATCH = 64;
const HELD = 5000;

/** What is chosen on the held-out pictures: how layers share the zeros. */
const rankings = ["local", "global"] as const;

interface ConvRow {
  readonly seed: number;
  /** Held-out accuracy by ranking; the better one is tested. */
  readonly validation: Readonly<Record<(typeof rankings)[number], number>>;
  readonly chosen: (typeof rankings)[number];
  readonly zeros: number;
  readonly weights: number;
  /** Test accuracy: after the first training, after as much training again without zeros, and with them. */
  readonly test: { readonly first: number; readonly dense: number; readonly sparse: number };
  readonly bytes: Readonly<Record<"dense" | "sparse", { readonly file: number; readonly gzip: number }>>;
  /** Whether the sparse file gives the bits of the dense one. */
  readonly isExact: boolean;
}

/** Three stages of convolution, batch statistics and pooling, then a linear head. */
function convNet(seed: number): Model {
  return network(random(seed), (n) => {
    let y = n.input("input", "float32", ["batch", 1, 28, 28]);
    for (const [i, channels] of [24, 48, 96].entries()) {
      const stage: Layers = n.scope(`stage${i}`);
      const convolved = conv(stage, y, channels, { kernel: 3, bias: false });
      y = maxPool(n, n.op("Relu", [batchNorm(stage, convolved)]), { kernel: 2 });
    }
    const flat = dropout(n, n.op("Flatten", [y], { axis: 1 }), 0.2);
    n.output(linear(n.scope("head"), flat, 10), "logits");
  });
}

interface Parts {
  readonly training: Dataset;
  readonly held: Dataset;
  readonly test: Dataset;
}

const accuracyOf = async (model: Model, data: Dataset): Promise<number> =>
  (await evaluateModel(model, { loss: "crossEntropy", metrics: ["accuracy"], batch: 250, data })).accuracy!;

async function trained(
  name: string,
  model: Model,
  { training }: Parts,
  more: Partial<FitOptions> & Pick<FitOptions, "learningRate" | "seed">,
  log: ExperimentContext["log"],
): Promise<Model> {
  const start = (folder: string) =>
    fit(model, {
      data: training,
      epochs: EPOCHS,
      batch: BATCH,
      loss: "crossEntropy",
      optimizer: adamw({ weightDecay: 0.01 }),
      schedule: warmup({ steps: 0.1 }),
      session: { threads: 1 },
      checkpoint: { folder, everySteps: 400 },
      resume: true,
      ...more,
    });
  return (await trainResumably(name, start, log)).model;
}

async function convRow(seed: number, parts: Parts, { once, log }: ExperimentContext): Promise<ConvRow> {
  const kept = (key: string, work: () => Promise<Model>) => onceModel(once, `conv ${seed} ${key}`, work);
  const first = await kept("first", () =>
    trained(`sparsity-${seed}-first`, convNet(seed), parts, { learningRate: 3e-3, seed }, log),
  );
  const again = { learningRate: 2e-3, seed: seed + 100 };
  const dense = await kept("dense", () => trained(`sparsity-${seed}-dense`, first, parts, again, log));
  const updates = EPOCHS * Math.ceil(parts.training.size / BATCH);
  const sparse = new Map<(typeof rankings)[number], Model>();
  for (const ranking of rankings) {
    const algorithms = [gradualSparsity({ to: SPARSITY, end: Math.floor(0.6 * updates), every: 50, ranking })];
    const run = () => trained(`sparsity-${seed}-${ranking}`, first, parts, { ...again, algorithms }, log);
    sparse.set(ranking, await kept(ranking, run));
  }
  const [local, global] = [
    await accuracyOf(sparse.get("local")!, parts.held),
    await accuracyOf(sparse.get("global")!, parts.held),
  ];
  const chosen = local >= global ? "local" : "global";
  const model = sparse.get(chosen)!;
  const { report } = sparsifyModel(model, { sparsity: SPARSITY, ranking: "global" });
  const stored = sparseInitializers(model);
  return {
    seed,
    validation: { local, global },
    chosen,
    zeros: report.zeros.before,
    weights: report.elements,
    test: {
      first: await accuracyOf(first, parts.test),
      dense: await accuracyOf(dense, parts.test),
      sparse: await accuracyOf(model, parts.test),
    },
    bytes: { dense: sizesOf(dense), sparse: sizesOf(stored) },
    isExact: await sameBits(model, decodeModel(encodeModel(stored)), parts.test),
  };
}

function sizesOf(model: Model): { readonly file: number; readonly gzip: number } {
  const bytes = encodeModel(model);
  return { file: bytes.length, gzip: gzipSync(bytes, { level: 9 }).length };
}

async function sameBits(one: Model, other: Model, data: Dataset): Promise<boolean> {
  const port = { name: "input", dtype: "float32", dims: ["batch", 1, 28, 28] } as const;
  const { feeds } = await loadBatch(
    data,
    { positions: Array.from({ length: 64 }, (_, i) => i), seed: 0, epoch: 0 },
    { port },
  );
  const bits: string[] = [];
  for (const model of [one, other]) {
    await using session = await openSession(model);
    const output: Tensor = (await session.run(feeds)).get("logits")!;
    bits.push(Buffer.from(output.data as Uint8Array).toString("hex"));
  }
  return bits[0] === bits[1];
}

async function run(context: ExperimentContext): Promise<readonly ConvRow[]> {
  const { shared, once } = context;
  const port = { name: "input", dtype: "float32", dims: ["batch", 1, 28, 28] } as const;
  const open = (name: string) => openData(`${shared}/data/fashion-mnist/${name}-images-idx3-ubyte.gz`, { port });
  const [all, test] = [await inMemory(await open("train")), await inMemory(await open("t10k"))];
  const networks: ConvRow[] = [];
  for (const seed of SEEDS) {
    const { calibration: training, evaluation: held } = await split(all, {
      calibration: all.size - HELD,
      evaluation: HELD,
      seed,
    });
    networks.push(await once(`network ${seed}`, () => convRow(seed, { training, held, test }, context)));
  }
  return networks;
}

const dropOf = ({ test }: ConvRow): number => test.dense - test.sparse;
const smallerBy = ({ bytes }: ConvRow): number => bytes.dense.file / bytes.sparse.file;

export const sparsity: Experiment<readonly ConvRow[]> = {
  name: "sparsity",
  claim:
    "Nine tenths of a convolutional network's weights can be zeros at little loss, which makes its file smaller and nothing else.",
  source: "Zhu and Gupta (1710.01878)",
  workload: `Fashion-MNIST: a network of three convolutions and a head, ${EPOCHS} epochs, then ${EPOCHS} more with sparsity that grows to ${100 * SPARSITY} %, or without as control; ${HELD.toLocaleString("en")} held-out pictures choose between one share for all layers and one order of all weights, 10,000 test.`,
  seeds: SEEDS,
  criterion: `at ${100 * SPARSITY} % zeros at most ${100 * DROP} point lost on the test set, files at least ${SMALLER} times smaller, outputs bit for bit those of the dense file.`,
  run,
  judge: (networks) => [
    {
      what: `at most ${100 * DROP} point lost at ${100 * SPARSITY} % zeros, against as much training without them`,
      holds: isAtMost(meanInterval(networks.map(dropOf)), DROP),
      figure: overSeeds(networks.map(dropOf), points),
    },
    everyOne(
      `files at least ${SMALLER} times smaller, for every seed`,
      networks,
      (row) => smallerBy(row) >= SMALLER,
      (row) => `seed ${row.seed} ${smallerBy(row).toFixed(2)}`,
    ),
    everyOne(
      "sparse files give the bits of dense ones",
      networks,
      ({ isExact }) => isExact,
      ({ seed }) => `seed ${seed}`,
    ),
  ],
  page(networks) {
    const percent = (x: number) => `${(100 * x).toFixed(2)} %`;
    const bytes = (x: number) => x.toLocaleString("en-US");
    const table = markdownTable(
      ["seed", "zeros", "held-out, local", "held-out, global", "test before", "test, trained on", "test, sparse"],
      networks.map(({ seed, zeros, weights, validation, test }) => [
        ...[seed, percent(zeros / weights), percent(validation.local), percent(validation.global)],
        ...[percent(test.first), percent(test.dense), percent(test.sparse)],
      ]),
    );
    const files = markdownTable(
      ["seed", "dense file", "sparse file", "smaller", "dense, gzip", "sparse, gzip"],
      networks.map((row) => [
        ...[row.seed, bytes(row.bytes.dense.file), bytes(row.bytes.sparse.file), `${smallerBy(row).toFixed(2)}×`],
        ...[bytes(row.bytes.dense.gzip), bytes(row.bytes.sparse.gzip)],
      ]),
    );
    return `${table}\n\n${files}`;
  },
};
