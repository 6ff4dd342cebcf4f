/** @file Fine-tuning an imported network on a new task, against training the same architecture from scratch. */
import { type Dataset, inMemory, openData, presets, random, split, subset } from "../src/data/index.ts";
import type { Model } from "../src/ir/index.ts";
import { resnet } from "../src/models/index.ts";
import { loadModel } from "../src/onnx/files.ts";
import { upgradeOpset } from "../src/passes/index.ts";
import { addLora, evaluateModel, type FitOptions, fit, replaceHead } from "../src/train/index.ts";
import { type Experiment, markdownTable } from "./experiment.ts";
import { isAbove, type Judgement, meanInterval, overSeeds, points } from "./judgement.ts";
import { meanAndDeviation } from "./training-folder.ts";

const TRAINING = 500;
const VALIDATION = 500;
const TEST = 2000;

interface Start {
  readonly model: Model;
  readonly options: Pick<FitOptions, "trainable" | "batchNorm">;
}

interface Method {
  readonly name: string;
  readonly epochs: number;
  readonly rates: readonly number[];
  start(pretrained: Model, seed: number): Start;
}

const newHead = (pretrained: Model, seed: number) => replaceHead(pretrained, { classes: 10, seed });

const methods: readonly Method[] = [
  {
    name: "from scratch",
    epochs: 16,
    rates: [3e-3, 1e-2],
    start: (_, seed) => ({ model: resnet(random(seed), { depth: 20 }), options: {} }),
  },
  {
    name: "new head, all weights trained",
    epochs: 8,
    rates: [1e-3, 3e-3],
    start: (pretrained, seed) => ({ model: newHead(pretrained, seed).model, options: {} }),
  },
  {
    name: "new head, nothing else trained",
    epochs: 8,
    rates: [1e-2, 3e-2],
    start(pretrained, seed) {
      const { model, parameters } = newHead(pretrained, seed);
      return { model, options: { trainable: parameters, batchNorm: "frozen" } };
    },
  },
  {
    name: "new head and adapters (LoRA, r = 4)",
    epochs: 8,
    rates: [3e-3, 1e-2],
    start(pretrained, seed) {
      const head = newHead(pretrained, seed);
      const adapted = addLora(head.model, { rank: 4, weights: ["layer*.weight"], seed });
      const trainable = [...head.parameters, ...adapted.parameters];
      return { model: adapted.model, options: { trainable, batchNorm: "frozen" } };
    },
  },
];

interface Outcome {
  readonly parameters: number;
  readonly validation: number;
  readonly test: number;
  readonly cpuSeconds: number;
}

interface Row {
  readonly method: string;
  readonly epochs: number;
  readonly rate: number;
  /** One for each seed. */
  readonly outcomes: readonly Outcome[];
}

interface Sets {
  readonly pretrained: Model;
  readonly pool: Dataset;
  readonly test: Dataset;
}

async function train({ name, epochs, start }: Method, rate: number, seed: number, sets: Sets): Promise<Outcome> {
  const parts = await split(sets.pool, { calibration: TRAINING, evaluation: VALIDATION, seed });
  const { model, options } = start(sets.pretrained, seed);
  const before = process.cpuUsage();
  const run = fit(model, {
    ...options,
    data: parts.calibration,
    epochs,
    batch: 50,
    loss: "crossEntropy",
    optimizer: "adamw",
    learningRate: rate,
    schedule: "warmup",
    seed,
    session: { threads: 1 },
  });
  const { model: trained, report } = await run.result;
  const { user, system } = process.cpuUsage(before);
  const measure = async (data: Dataset) =>
    (await evaluateModel(trained, { data, loss: "crossEntropy", metrics: ["accuracy"], batch: 100 })).accuracy!;
  const [validation, test] = [await measure(parts.evaluation), await measure(sets.test)];
  if (!Number.isFinite(report.loss)) throw new Error(`${name} diverged`);
  return { parameters: report.parameters, validation, test, cpuSeconds: (user + system) / 1e6 };
}

export const finetune: Experiment<readonly Row[]> = {
  name: "finetune",
  claim: "Fine-tuning an imported pretrained network on a new task beats training the same architecture from scratch.",
  source: "lithe; adapters as in Hu et al. (2021), arXiv:2106.09685",
  workload: `a ResNet-20 trained on CIFAR-10 by others, imported from ONNX; ${TRAINING} training pictures of Fashion-MNIST, enlarged to 32×32, ${VALIDATION} to choose the learning rate, ${TEST} test pictures; batches of 50, AdamW, one thread, CPU provider; from scratch twice as many epochs`,
  seeds: [1, 2, 3],
  criterion: "test accuracy above that from scratch for every seed, on the same pictures, by each way of fine-tuning",
  async run({ shared, once, log }) {
    const port = { name: "input", dtype: "float32", dims: ["batch", 3, 32, 32] } as const;
    const preprocess = { ...presets.cifar10, resize: { width: 32, height: 32 } };
    const open = (name: string) =>
      openData(`${shared}/data/fashion-mnist/${name}-images-idx3-ubyte.gz`, { port, preprocess });
    const first = async (data: Dataset, count: number) =>
      inMemory(
        subset(
          data,
          Array.from({ length: count }, (_, i) => i),
        ),
      );
    const sets = {
      pretrained: (await upgradeOpset().run(await loadModel(`${shared}/models/cifar10-resnet20.onnx`))).model,
      pool: await first(await open("train"), 6000),
      test: await first(await open("t10k"), TEST),
    };
    const rows: Row[] = [];
    for (const method of methods) {
      const trained = (rate: number, seed: number) =>
        once(`${method.name}, rate ${rate}, seed ${seed}`, async () => {
          const outcome = await train(method, rate, seed, sets);
          log(`${method.name}, rate ${rate}, seed ${seed}: ${JSON.stringify(outcome)}`);
          return outcome;
        });
      const [seed = 1] = this.seeds;
      const tried: { rate: number; validation: number }[] = [];
      for (const rate of method.rates) tried.push({ rate, validation: (await trained(rate, seed)).validation });
      const { rate } = tried.reduce((best, next) => (next.validation > best.validation ? next : best));
      const outcomes: Outcome[] = [];
      for (const each of this.seeds) outcomes.push(await trained(rate, each));
      rows.push({ method: method.name, epochs: method.epochs, rate, outcomes });
    }
    return rows;
  },
  judge(rows) {
    const [scratch, ...others] = rows;
    return others.map(({ method, outcomes }): Judgement => {
      const gains = outcomes.map(({ test }, i) => test - scratch!.outcomes[i]!.test);
      return {
        what: `${method}: above that from scratch for every seed`,
        holds: gains.every((gain) => gain > 0) && isAbove(meanInterval(gains), 0),
        figure: `${overSeeds(gains, points)}; ${gains.filter((gain) => gain > 0).length} of ${gains.length} seeds above`,
      };
    });
  },
  page(rows) {
    const [scratch] = rows;
    const cells = rows.map(({ method, epochs, rate, outcomes }) => [
      method,
      outcomes[0]!.parameters,
      epochs,
      rate,
      ...outcomes.map(({ test }) => percent(test)),
      summary(outcomes.map(({ test }) => test)),
      summary(outcomes.map(({ test }, i) => test - scratch!.outcomes[i]!.test)),
      (outcomes.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0) / outcomes.length).toFixed(0),
    ]);
    const seeds = this.seeds.map((seed) => `test, seed ${seed}`);
    const headings = ["", "trained numbers", "epochs", "learning rate", ...seeds, "mean ± sd", "over scratch", "CPU s"];
    return [
      markdownTable(headings, cells),
      `The learning rate is the better of two on the validation pictures of the first seed.`,
    ].join("\n\n");
  },
};

function percent(x: number): string {
  return `${(100 * x).toFixed(1)} %`;
}

function summary(values: readonly number[]): string {
  const { mean, deviation } = meanAndDeviation(values);
  return `${percent(mean)} ± ${percent(deviation)}`;
}
