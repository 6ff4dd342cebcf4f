/** @file Weights of three and two levels, and inputs of two, against floats: the accuracy that each costs, and what it saves. */
import { evaluateWith } from "../src/accelerate/index.ts";
import {
  type Augmentation,
  type Dataset,
  horizontalFlip,
  inMemory,
  openData,
  random,
  randomCrop,
  split,
  subset,
} from "../src/data/index.ts";
import { studentQuantile } from "../src/measure/index.ts";
import { type VggOptions, vgg } from "../src/models/index.ts";
import { encodedSize } from "../src/onnx/index.ts";
import { cleanup } from "../src/passes/index.ts";
import { quantizeLevels } from "../src/quantize/index.ts";
import { openSession } from "../src/runtime/index.ts";
import { adam, evaluateModel, fit, warmup, withinClips } from "../src/train/index.ts";
import { type Experiment, type ExperimentContext, markdownTable } from "./experiment.ts";
import { intervalText, isAtLeast, type Judgement, overSeeds, percentage, points } from "./judgement.ts";
import { meanAndDeviation, trainResumably } from "./training-folder.ts";

type Kind = Pick<VggOptions, "weights" | "activations" | "inputScale" | "order">;

/** In the order of the claim; the rest are ablations and kin. */
const kinds = {
  float: {},
  TWN: { weights: "twn" },
  BWN: { weights: "bwn" },
  XNOR: { weights: "bwn", activations: "binary" },
  "XNOR with K": { weights: "bwn", activations: "binary", inputScale: true },
  "XNOR without α": { weights: "binaryConnect", activations: "binary" },
  "XNOR, layer first": { weights: "bwn", activations: "binary", order: "layer-first" },
  BinaryConnect: { weights: "binaryConnect" },
  TTQ: { weights: "ttq" },
  absmean: { weights: "absmean" },
} as const satisfies Record<string, Kind>;

type KindName = keyof typeof kinds;

const ladder = ["float", "TWN", "BWN", "XNOR"] as const satisfies readonly KindName[];

interface Task {
  readonly width: number;
  readonly size: Pick<VggOptions, "channels" | "size">;
  readonly epochs: number;
  readonly augment: readonly Augmentation[];
  readonly kinds: readonly KindName[];
  data(shared: string): Promise<{ readonly training: Dataset; readonly test: Dataset }>;
}

const HELD = 2000;
const BATCH = 64;
const WIDTH = 16;

const tasks = {
  "Fashion-MNIST": {
    width: WIDTH,
    size: { channels: 1, size: 28 },
    epochs: 6,
    augment: [],
    kinds: Object.keys(kinds) as KindName[],
    async data(shared) {
      const port = { name: "input", dtype: "float32", dims: ["batch", 1, 28, 28] } as const;
      const open = (name: string) => openData(`${shared}/data/fashion-mnist/${name}-images-idx3-ubyte.gz`, { port });
      const training = subset(
        await open("train"),
        Array.from({ length: 20_000 + HELD }, (_, i) => i),
      );
      return { training: await inMemory(training), test: await inMemory(await open("t10k")) };
    },
  },
  "CIFAR-10": {
    width: WIDTH,
    size: { channels: 3, size: 32 },
    epochs: 12,
    augment: [randomCrop({ padding: 4 }), horizontalFlip()],
    kinds: ladder,
    async data(shared) {
      const port = { name: "input", dtype: "float32", dims: ["batch", 3, 32, 32] } as const;
      const open = (name: string) => openData(`${shared}/data/cifar10/${name}.bin`, { preprocess: "cifar10", port });
      return { training: await inMemory(await open("train-20000")), test: await inMemory(await open("test-5000")) };
    },
  },
} as const satisfies Record<string, Task>;

type TaskName = keyof typeof tasks;

interface Row {
  readonly task: TaskName;
  readonly kind: KindName;
  readonly seed: number;
  readonly accuracy: number;
  /** Bytes of the cleaned model in floats, and with its levels packed. */
  readonly sizes: readonly [floats: number, packed: number];
  readonly cpuMinutes: number;
}

type Loaded = Awaited<ReturnType<Task["data"]>>;

async function trained(
  name: TaskName,
  kind: KindName,
  seed: number,
  { training, test }: Loaded,
  log: ExperimentContext["log"],
): Promise<Row> {
  const task: Task = tasks[name];
  const parts = await split(training, { calibration: training.size - HELD, evaluation: HELD, seed });
  const start = (folder: string) =>
    fit(vgg(random(seed), { width: task.width, ...task.size, ...kinds[kind] }), {
      data: parts.calibration,
      ...(task.augment.length > 0 && { augment: task.augment }),
      evaluate: { data: parts.evaluation, metrics: ["accuracy"], batch: 250, every: 2 },
      epochs: task.epochs,
      batch: BATCH,
      loss: "crossEntropy",
      optimizer: adam(),
      algorithms: [withinClips()],
      learningRate: 2e-3,
      schedule: warmup({ steps: 0.05 }),
      seed,
      checkpoint: { folder },
      resume: true,
    });
  const key = `binary-ternary-${name}-${kind}-${seed}`.replaceAll(/[^\w-]+/g, "-");
  const { model, cpuMinutes } = await trainResumably(key, start, log);
  const { accuracy } = await evaluateModel(model, {
    data: test,
    loss: "crossEntropy",
    metrics: ["accuracy"],
    batch: 250,
  });
  const { model: clean } = await cleanup({ evaluate: evaluateWith(openSession), maxBytes: 2 ** 24 }).run(model);
  const sizes = [encodedSize(clean), encodedSize(quantizeLevels(clean).model)] as const;
  return { task: name, kind, seed, accuracy: accuracy!, sizes, cpuMinutes };
}

const seeds = [1, 2, 3];

/** What the better of two kinds is better by, seed by seed. */
function differences(rows: readonly Row[], task: TaskName, better: KindName, worse: KindName): number[] {
  const of = (kind: KindName, seed: number) =>
    rows.find((row) => row.task === task && row.kind === kind && row.seed === seed)?.accuracy;
  return seeds.flatMap((seed) => {
    const [a, b] = [of(better, seed), of(worse, seed)];
    return a === undefined || b === undefined ? [] : [a - b];
  });
}

/** At most what noise of the seeds explains lies between them. */
const MARGIN = 0.002;

function notWorse(rows: readonly Row[], task: TaskName, better: KindName, worse: KindName): Judgement {
  const found = differences(rows, task, better, worse);
  const what = `${task}: ${better} is no worse than ${worse}`;
  if (found.length < 2) return { what, holds: undefined, figure: "too few seeds were recorded" };
  const { mean, deviation } = meanAndDeviation(found);
  const half = (studentQuantile(found.length - 1) * deviation) / Math.sqrt(found.length);
  const interval = [mean - half, mean + half] as const;
  return {
    what,
    holds: isAtLeast(interval, -MARGIN),
    figure: `${points(mean)} (${intervalText(interval, points)}, ${found.length} seeds, paired)`,
  };
}

export const binaryTernary: Experiment<readonly Row[]> = {
  name: "binary-ternary",
  claim:
    "The fewer levels, the more accuracy they cost: floats are no worse than ternary weights (TWN), those no worse than binary ones (BWN), those no worse than binary weights and inputs (XNOR). Signs behind a normalisation, and scales of the weights, are worth having.",
  source: "Li et al. (2016), arXiv:1605.04711, table 2; Rastegari et al. (2016), arXiv:1603.05279, tables 1 and 4",
  workload: `VGG of ${WIDTH} to ${4 * WIDTH} channels whose layers between the first and the last have few levels; 20,000 pictures of Fashion-MNIST for ${tasks["Fashion-MNIST"].epochs} epochs, 18,000 of CIFAR-10 for ${tasks["CIFAR-10"].epochs} with random crops and mirrored pictures; Adam at 0.002 for all, batch ${BATCH}. The pictures of the test are seen once per network.`,
  seeds,
  criterion: `each step of the ladder, and each ablation on Fashion-MNIST, is no worse by more than ${points(MARGIN).slice(1)}, by the whole paired interval over the seeds.`,
  async run({ shared, once, log }) {
    const rows: Row[] = [];
    for (const name of Object.keys(tasks) as TaskName[]) {
      const loaded = await tasks[name].data(shared);
      for (const seed of seeds) {
        for (const kind of tasks[name].kinds) {
          rows.push(await once(`${name} ${kind} ${seed}`, () => trained(name, kind, seed, loaded, log)));
        }
      }
    }
    return rows;
  },
  judge: (rows) => [
    ...(Object.keys(tasks) as TaskName[]).flatMap((task) =>
      ladder.slice(1).map((worse, i) => notWorse(rows, task, ladder[i]!, worse)),
    ),
    ...(["XNOR without α", "XNOR, layer first"] as const).map((worse) =>
      notWorse(rows, "Fashion-MNIST", "XNOR", worse),
    ),
  ],
  page(rows) {
    const sections = (Object.keys(tasks) as TaskName[]).map((task) => {
      const cells = tasks[task].kinds.flatMap((kind) => {
        const own = rows.filter((row) => row.task === task && row.kind === kind);
        const [first] = own;
        if (!first) return [];
        const [floats, packed] = first.sizes;
        const accuracies = own.map(({ accuracy }) => accuracy);
        const kilobytes = (bytes: number) => `${(bytes / 1024).toFixed(0)} KiB`;
        const minutes = meanAndDeviation(own.map(({ cpuMinutes }) => cpuMinutes)).mean.toFixed(1);
        return [[kind, overSeeds(accuracies, percentage), kilobytes(floats), kilobytes(packed), minutes]];
      });
      return `${task}:\n\n${markdownTable(["levels", "test accuracy", "file in floats", "packed", "CPU minutes"], cells)}`;
    });
    return sections.join("\n\n");
  },
};
