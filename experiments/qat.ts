/** @file Quantization with and without training: 8 bits on two networks, 4 and 2 bits with each way for ranges to move. */
import { evaluateWith } from "../src/accelerate/index.ts";
import { batches, type Dataset, inMemory, openData, partition, random } from "../src/data/index.ts";
import { distill, recoveryFrom } from "../src/distill/index.ts";
import type { Model } from "../src/ir/index.ts";
import { mobilenetV2 } from "../src/models/index.ts";
import { loadModel } from "../src/onnx/files.ts";
import { cleanup } from "../src/passes/index.ts";
import {
  type FakeQuantizeOptions,
  fakeQuantize,
  quantizationAware,
  type RangeName,
  type StaticBits,
} from "../src/quantize/index.ts";
import { openSession } from "../src/runtime/index.ts";
import { adamw, evaluateModel, fit, warmup } from "../src/train/index.ts";
import { type Experiment, type ExperimentContext, markdownTable } from "./experiment.ts";
import {
  isAbove,
  isAtLeast,
  isAtMost,
  type Judgement,
  meanInterval,
  overSeeds,
  percentage,
  points,
} from "./judgement.ts";
import { onceModel } from "./once-model.ts";
import { meanAndDeviation, trainResumably } from "./training-folder.ts";

const SEEDS = [1, 2, 3] as const;
const CALIBRATION = 256;
const EPOCHS = 2;
/** Of the depthwise network in floats. */
const FLOAT_EPOCHS = 6;
const BATCH = 64;
const session = { threads: 1 } as const;

/** What is lost at most with 8 bits. */
const UNTRAINED = 0.005;
const TRAINED = 0.003;
/** What one scale for each weight tensor visibly loses. */
const VISIBLE = 0.01;

interface Variant {
  readonly name: string;
  readonly bits: StaticBits;
  readonly perChannel: boolean;
  /** How ranges move; nothing is trained without. */
  readonly range?: RangeName;
}

const variants: readonly Variant[] = [
  { name: "8 bits", bits: 8, perChannel: true },
  { name: "8 bits, trained", bits: 8, perChannel: true, range: "lsq" },
  { name: "8 bits per tensor", bits: 8, perChannel: false },
  { name: "8 bits per tensor, trained", bits: 8, perChannel: false, range: "lsq" },
  ...([4, 2] as const).flatMap((bits): Variant[] => [
    { name: `W${bits}A${bits}`, bits, perChannel: true },
    { name: `W${bits}A${bits}, min-max`, bits, perChannel: true, range: "min-max" },
    { name: `W${bits}A${bits}, lsq`, bits, perChannel: true, range: "lsq" },
  ]),
];

/** Of 1e-4 and 5e-4 the better one on 1,500 training pictures that were held out of ResNet-20's, for both ways to train; no test picture was seen. */
const rateOf = ({ bits }: Variant): number => (bits === 2 ? 5e-4 : 1e-4);

const networks = ["ResNet-20 on CIFAR-10", "MobileNetV2 ×0.5 on Fashion-MNIST"] as const;

type NetworkName = (typeof networks)[number];

interface Row {
  readonly network: NetworkName;
  readonly seed: number;
  readonly float: number;
  /** Test accuracy of the integer files by variant. */
  readonly test: Readonly<Record<string, number>>;
}

interface Subject {
  readonly model: Model;
  readonly training: Dataset;
  readonly calibration: Dataset;
  readonly test: Dataset;
}

async function parted(all: Dataset, seed: number) {
  return await partition(all, { calibration: CALIBRATION, training: "rest" }, seed);
}

/** Weights that others have trained. */
async function resnet20(seed: number, shared: string): Promise<Subject> {
  const model = await cleaned(await loadModel(`${shared}/models/cifar10-resnet20.onnx`));
  const port = portOf(model);
  const open = async (name: string) =>
    inMemory(await openData(`${shared}/data/cifar10/${name}.bin`, { preprocess: "cifar10", port }));
  return { model, ...(await parted(await open("train-20000"), seed)), test: await open("test-5000") };
}

/** Trained here, for each seed. */
async function mobilenet(seed: number, { shared, once, log }: ExperimentContext): Promise<Subject> {
  const port = { name: "input", dtype: "float32", dims: ["batch", 1, 28, 28] } as const;
  const open = async (name: string) =>
    inMemory(await openData(`${shared}/data/fashion-mnist/${name}-images-idx3-ubyte.gz`, { port }));
  const [all, test] = [await open("train"), await open("t10k")];
  const { training, calibration } = await parted(all, seed);
  const start = (folder: string) =>
    fit(mobilenetV2(random(seed), { width: 0.5, most: 1, channels: 1, size: 28, classes: 10, dropout: 0 }), {
      data: training,
      epochs: FLOAT_EPOCHS,
      batch: BATCH,
      loss: "crossEntropy",
      optimizer: adamw({ weightDecay: 0.01 }),
      learningRate: 2e-3,
      schedule: warmup({ steps: 0.1 }),
      seed,
      session,
      checkpoint: { folder, everySteps: 400 },
      resume: true,
    });
  const make = async () => (await trainResumably(`qat-mobilenet-${seed}`, start, log)).model;
  const model = await cleaned(await onceModel(once, `mobilenet ${seed}`, make));
  return { model, training, calibration, test };
}

async function cleaned(model: Model): Promise<Model> {
  return (await cleanup({ evaluate: evaluateWith(openSession) }).run(model)).model;
}

function portOf({ graph }: Model) {
  const [input] = graph.inputs.filter((value) => !graph.initializers.has(value));
  if (input?.type?.kind !== "tensor") throw new RangeError("the network has no input of pictures");
  return { name: input.name, dtype: "float32", dims: ["batch", ...(input.type.dims ?? []).slice(1)] } as const;
}

/** First and last layers keep 8 bits of weights, as in the papers. */
function optionsFor({ bits, perChannel }: Variant, { model, calibration }: Subject): FakeQuantizeOptions {
  const layers = model.graph.nodes.filter(({ opType }) => ["Conv", "Gemm", "MatMul"].includes(opType));
  const ends = [layers[0], layers.at(-1)].flatMap((node) => node?.name || node?.outputs[0]?.name || []);
  return {
    open: openSession,
    async *calibration() {
      for await (const { feeds } of batches(calibration, { batch: BATCH })) yield feeds;
    },
    ...session,
    perChannel,
    weightBits: bits,
    activationBits: bits,
    observer: bits === 8 ? "min-max" : "mse",
    ...(bits < 8 && { overrides: [{ nodes: ends, weightBits: 8 }] }),
  };
}

async function quantized(variant: Variant, subject: Subject, key: string, seed: number, log: (line: string) => void) {
  const { model, training } = subject;
  const fake = await fakeQuantize(model, optionsFor(variant, subject));
  const { range } = variant;
  if (!range) return fake.convert(fake.model).model;
  const start = (folder: string) =>
    distill(
      fake.model,
      recoveryFrom(model, [], {
        data: training,
        epochs: EPOCHS,
        batch: BATCH,
        learningRate: rateOf(variant),
        seed,
        session,
        checkpoint: { folder, everySteps: 400 },
        resume: true,
        algorithms: [quantizationAware({ range })],
      }),
    );
  return fake.convert((await trainResumably(key, start, log)).model).model;
}

async function accuracyOf(model: Model, data: Dataset): Promise<number> {
  const { accuracy } = await evaluateModel(model, {
    ...{ loss: "crossEntropy", metrics: ["accuracy"], batch: 250, data, session },
  });
  return accuracy ?? Number.NaN;
}

async function rowOf(network: NetworkName, seed: number, context: ExperimentContext): Promise<Row> {
  const { shared, once, log } = context;
  const subject = network === networks[0] ? await resnet20(seed, shared) : await mobilenet(seed, context);
  const float = await accuracyOf(subject.model, subject.test);
  const test: Record<string, number> = {};
  for (const variant of variants) {
    const key = `${network} ${seed} ${variant.name}`;
    test[variant.name] = await once(key, async () => {
      const folder = `qat-${key.replaceAll(/\W+/g, "-")}`;
      return accuracyOf(await quantized(variant, subject, folder, seed, log), subject.test);
    });
    log(`${key}: ${percentage(test[variant.name] ?? Number.NaN)} of ${percentage(float)}`);
  }
  return { network, seed, float, test };
}

async function run(context: ExperimentContext): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const network of networks) {
    for (const seed of SEEDS) rows.push(await context.once(`${network} ${seed}`, () => rowOf(network, seed, context)));
  }
  return rows;
}

const at = ({ test }: Row, name: string): number => test[name] ?? Number.NaN;

function judge(rows: readonly Row[]): Judgement[] {
  return networks.flatMap((network) => {
    const own = rows.filter((row) => row.network === network);
    const lost = (name: string) => own.map((row) => row.float - at(row, name));
    const gained = (better: string, worse: string) => own.map((row) => at(row, better) - at(row, worse));
    const atMost = (name: string, bound: number): Judgement => ({
      what: `${network}: ${name} loses at most ${points(bound)}`,
      holds: isAtMost(meanInterval(lost(name)), bound),
      figure: overSeeds(lost(name), points),
    });
    const notWorse = (better: string, worse: string): Judgement => ({
      what: `${network}: ${better} is not worse than ${worse}`,
      holds: isAtLeast(meanInterval(gained(better, worse)), 0),
      figure: overSeeds(gained(better, worse), points),
    });
    return [
      atMost("8 bits", UNTRAINED),
      atMost("8 bits, trained", TRAINED),
      ...(network === networks[1]
        ? [
            {
              what: `${network}: one scale for each tensor loses more than ${points(VISIBLE)} without training`,
              holds: isAbove(meanInterval(lost("8 bits per tensor")), VISIBLE),
              figure: overSeeds(lost("8 bits per tensor"), points),
            },
            atMost("8 bits per tensor, trained", UNTRAINED),
          ]
        : []),
      ...[4, 2].flatMap((bits) => [
        notWorse(`W${bits}A${bits}, lsq`, `W${bits}A${bits}, min-max`),
        notWorse(`W${bits}A${bits}, min-max`, `W${bits}A${bits}`),
      ]),
    ];
  });
}

export const qat: Experiment<readonly Row[]> = {
  name: "qat",
  claim:
    "int8 costs next to nothing with a scale for each channel, and training wins back what one scale for each tensor or few bits lose: learned step sizes most of all.",
  source: "Jacob et al. (1712.05877), Esser et al. (1902.08153)",
  workload: `a pretrained ResNet-20 on CIFAR-10 (20,000 pictures to train on, 5,000 to test) and MobileNetV2 at half width with one block a stage on Fashion-MNIST (10,000 to test), trained here in ${FLOAT_EPOCHS} epochs; ${CALIBRATION} pictures calibrate; ${EPOCHS} epochs of training through the rounding with the original as teacher, AdamW, batch ${BATCH}; first and last layers keep 8 bits of weights below 8 bits. Rates were chosen beforehand on training pictures that were held out, and test pictures are seen once per file.`,
  seeds: SEEDS,
  criterion: `8 bits lose at most ${100 * UNTRAINED} points without training and ${100 * TRAINED} with it; on the depthwise network one scale for each tensor loses more than ${100 * VISIBLE} point and training wins it back; at 4 and at 2 bits learned steps are not worse than moving averages, and these not worse than no training. Paired, 95 % intervals over seeds.`,
  run,
  judge,
  page: (rows) =>
    networks
      .map((network) => {
        const own = rows.filter((row) => row.network === network);
        const mean = (name: string) => meanAndDeviation(own.map((row) => at(row, name)));
        const floats = meanAndDeviation(own.map(({ float }) => float));
        const cells = variants.map(({ name }) => {
          const { mean: share, deviation } = mean(name);
          const lost = own.map((row) => at(row, name) - row.float);
          return [name, `${percentage(share)} ± ${percentage(deviation)}`, overSeeds(lost, points)];
        });
        const head = `${network}: ${percentage(floats.mean)} ± ${percentage(floats.deviation)} in floats.`;
        return `${head}\n\n${markdownTable(["file", "test accuracy", "against floats"], cells)}`;
      })
      .join("\n\n"),
};
