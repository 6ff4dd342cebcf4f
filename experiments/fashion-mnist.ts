/** @file Real learning from scratch: a small convolutional network on Fashion-MNIST within a budget of CPU time. */
import { type Dataset, inMemory, openData, random, split } from "../src/data/index.ts";
import type { Model } from "../src/ir/index.ts";
import { batchNorm, conv, dropout, type Layers, linear, maxPool, network } from "../src/nn/index.ts";
import { adamw, evaluateModel, fit, warmup } from "../src/train/index.ts";
import { type Experiment, markdownTable } from "./experiment.ts";
import { trainedWithin } from "./judgement.ts";
import { meanAndDeviation } from "./training-folder.ts";

const BOUND = 0.915;
/** Pictures of the test. */
const TESTED = 10_000;
const MINUTES = 10;

interface Row {
  readonly seed: number;
  readonly validation: number;
  readonly test: number;
  readonly parameters: number;
  /** CPU time of training with its evaluations, all threads together. */
  readonly cpuMinutes: number;
  readonly losses: readonly number[];
}

/** Three stages of convolution, batch statistics and pooling, then a linear head. */
export function smallConvNet(seed: number): Model {
  return network(random(seed), (n) => {
    let y = n.input("input", "float32", ["batch", 1, 28, 28]);
    for (const [i, channels] of [16, 32, 64].entries()) {
      const stage: Layers = n.scope(`stage${i}`);
      const convolved = conv(stage, y, channels, { kernel: 3, bias: false });
      y = maxPool(n, n.op("Relu", [batchNorm(stage, convolved)]), { kernel: 2 });
    }
    const flat = dropout(n, n.op("Flatten", [y], { axis: 1 }), 0.2);
    n.output(linear(n.scope("head"), flat, 10), "logits");
  });
}

async function train(seed: number, training: Dataset, test: Dataset, log: (line: string) => void): Promise<Row> {
  const parts = await split(training, { calibration: training.size - 5000, evaluation: 5000, seed });
  const model = smallConvNet(seed);
  const before = process.cpuUsage();
  const run = fit(model, {
    data: parts.calibration,
    evaluate: { data: parts.evaluation, metrics: ["accuracy"], batch: 250 },
    epochs: 8,
    batch: 64,
    loss: "crossEntropy",
    optimizer: adamw({ weightDecay: 0.05 }),
    learningRate: 3e-3,
    schedule: warmup({ steps: 0.1 }),
    average: 0.998,
    seed,
  });
  for await (const event of run) {
    if (event.type === "evaluation") log(`seed ${seed}, epoch ${event.epoch}: ${JSON.stringify(event.metrics)}`);
  }
  const { model: trained, report } = await run.result;
  const { user, system } = process.cpuUsage(before);
  const options = { loss: "crossEntropy", metrics: ["accuracy"], batch: 250 } as const;
  const { accuracy } = await evaluateModel(trained, { ...options, data: test });
  const evaluations = report.evaluations.map(({ metrics }) => metrics);
  return {
    seed,
    validation: evaluations.at(-1)!.accuracy!,
    test: accuracy!,
    parameters: report.parameters,
    cpuMinutes: (user + system) / 6e7,
    losses: evaluations.map(({ loss }) => loss!),
  };
}

export const fashionMnist: Experiment<readonly Row[]> = {
  name: "fashion-mnist",
  claim: "A small convolutional network learns Fashion-MNIST from scratch on stock ONNX Runtime within minutes.",
  source: "lithe",
  workload: "60,000 training pictures (5,000 of them for validation), 10,000 for the test, seen once per network",
  seeds: [1, 2, 3],
  criterion: `test accuracy of at least ${100 * BOUND} % within ${MINUTES} CPU minutes, for every seed`,
  async run({ shared, once, log }) {
    const port = { name: "input", dtype: "float32", dims: ["batch", 1, 28, 28] } as const;
    const open = (name: string) => openData(`${shared}/data/fashion-mnist/${name}-images-idx3-ubyte.gz`, { port });
    const [training, test] = [await inMemory(await open("train")), await inMemory(await open("t10k"))];
    const rows: Row[] = [];
    for (const seed of this.seeds) rows.push(await once(`seed ${seed}`, () => train(seed, training, test, log)));
    return rows;
  },
  judge: (rows) => trainedWithin(rows, { bound: BOUND, tested: TESTED, minutes: MINUTES }),
  page(rows) {
    const percent = (x: number) => `${(100 * x).toFixed(2)} %`;
    const cells = rows.map((row) => [row.seed, percent(row.validation), percent(row.test), row.cpuMinutes.toFixed(1)]);
    const tests = rows.map(({ test }) => test);
    const { mean, deviation } = meanAndDeviation(tests);
    return [
      markdownTable(["seed", "validation", "test", "CPU minutes"], cells),
      `${rows[0]?.parameters ?? 0} parameters; test ${percent(mean)} ± ${percent(deviation)}.`,
    ].join("\n\n");
  },
};
