/** @file Real learning from scratch: ResNet-20 on part of CIFAR-10, with random crops and mirrored pictures. */
import { type Dataset, horizontalFlip, inMemory, openData, random, randomCrop, split } from "../src/data/index.ts";
import { resnet } from "../src/models/index.ts";
import { adamw, crossEntropy, evaluateModel, fit, muon, warmup } from "../src/train/index.ts";
import { type Experiment, markdownTable } from "./experiment.ts";
import { trainedWithin } from "./judgement.ts";
import { meanAndDeviation, trainResumably } from "./training-folder.ts";

const BOUND = 0.8;
/** Pictures of the test. */
const TESTED = 5_000;
const MINUTES = 35;
const EPOCHS = 16;
const HELD = 2000;

interface Row {
  readonly seed: number;
  readonly validation: number;
  readonly test: number;
  readonly parameters: number;
  readonly updates: number;
  readonly cpuMinutes: number;
}

async function train(seed: number, data: Dataset, test: Dataset, log: (line: string) => void): Promise<Row> {
  const parts = await split(data, { calibration: data.size - HELD, evaluation: HELD, seed });
  const session = { threads: 1 };
  const start = (folder: string) =>
    fit(resnet(random(seed), { depth: 20 }), {
      data: parts.calibration,
      augment: [randomCrop({ padding: 4 }), horizontalFlip()],
      evaluate: { data: parts.evaluation, metrics: ["accuracy"], loss: "crossEntropy", batch: 250, every: 2 },
      epochs: EPOCHS,
      batch: 128,
      loss: crossEntropy({ smoothing: 0.1 }),
      optimizer: muon({
        momentum: 0.9,
        weightDecay: 0.1,
        scale: "adamw",
        applies: ({ dims }) => dims.length >= 2,
        others: adamw({ weightDecay: 0 }),
      }),
      learningRate: 0.015,
      schedule: warmup({ steps: 0.1 }),
      seed,
      session,
      checkpoint: { folder, everySteps: 50 },
      resume: true,
    });
  const { model, report, cpuMinutes } = await trainResumably(`cifar10-resnet20-${seed}`, start, log);
  const options = { loss: "crossEntropy", metrics: ["accuracy"], batch: 250, session } as const;
  const { accuracy } = await evaluateModel(model, { ...options, data: test });
  return {
    seed,
    validation: report.evaluations.at(-1)!.metrics.accuracy!,
    test: accuracy!,
    parameters: report.parameters,
    updates: report.updates,
    cpuMinutes,
  };
}

export const cifar10Resnet20: Experiment<readonly Row[]> = {
  name: "cifar10-resnet20",
  claim: "ResNet-20 learns from 18,000 pictures of CIFAR-10 on stock ONNX Runtime, on one core.",
  source: "lithe",
  workload: `20,000 training pictures (${HELD} of them for validation), ${EPOCHS} epochs with random crops (4 pixels) and mirrored pictures, Muon for convolutions and head and AdamW for the rest, label smoothing 0.1; cpu, 1 thread, batch 128; 5,000 test pictures, seen once per network.`,
  seeds: [1, 2, 3],
  criterion: `test accuracy of at least ${100 * BOUND} % within ${MINUTES} CPU minutes, for every seed.`,
  async run({ shared, once, log }) {
    const port = { name: "input", dtype: "float32", dims: ["batch", 3, 32, 32] } as const;
    const open = (name: string) => openData(`${shared}/data/cifar10/${name}.bin`, { preprocess: "cifar10", port });
    const [data, test] = [await inMemory(await open("train-20000")), await open("test-5000")];
    const rows: Row[] = [];
    for (const seed of this.seeds) rows.push(await once(`seed ${seed}`, () => train(seed, data, test, log)));
    return rows;
  },
  judge: (rows) => trainedWithin(rows, { bound: BOUND, tested: TESTED, minutes: MINUTES }),
  page(rows) {
    const percent = (x: number) => `${(100 * x).toFixed(2)} %`;
    const cells = rows.map((row) => [
      row.seed,
      percent(row.validation),
      percent(row.test),
      row.updates,
      row.cpuMinutes.toFixed(1),
    ]);
    const { mean, deviation } = meanAndDeviation(rows.map(({ test }) => test));
    return [
      markdownTable(["seed", "validation", "test", "updates", "CPU minutes"], cells),
      `${rows[0]?.parameters ?? 0} parameters; test ${percent(mean)} ± ${percent(deviation)}.`,
    ].join("\n\n");
  },
};
