/** @file Distillation on small convolutional networks: one teacher, an assistant between, other losses than soft targets, and many teachers of one student. */
import { type Dataset, inMemory, openData, partition, random, subset } from "../src/data/index.ts";
import {
  contrasts,
  type DistillationLoss,
  decoupledTargets,
  distill,
  multiTask,
  softTargets,
} from "../src/distill/index.ts";
import type { Model } from "../src/ir/index.ts";
import { conv, type Layers, linear, maxPool, network } from "../src/nn/index.ts";
import { adamw, evaluateModel, type FitOptions, fit } from "../src/train/index.ts";
import { type Experiment, markdownTable } from "./experiment.ts";
import { isAbove, isAtLeast, type Judgement, meanInterval, overSeeds, percentage, points } from "./judgement.ts";
import { meanAndDeviation, trainResumably } from "./training-folder.ts";

/** Widths of the convolutions between two poolings, and of the hidden layer: the plain networks of Mirzadeh et al. */
const plain = {
  2: { stages: [[16], [16]], hidden: 64 },
  4: {
    stages: [
      [16, 16],
      [32, 32],
    ],
    hidden: 64,
  },
  10: {
    stages: [
      [32, 32],
      [64, 64],
      [128, 128],
      [256, 256, 256, 256],
    ],
    hidden: 128,
  },
} as const;

type Depth = keyof typeof plain;

/** The values that are compared: what the last linear layer reads. */
const pairs = [{ teacher: "features", student: "features" }];

function plainNetwork(depth: Depth, seed: number): Model {
  const { stages, hidden } = plain[depth];
  return network(random(seed, depth), (n) => {
    let y = n.input("input", "float32", ["batch", 3, 32, 32]);
    for (const [i, widths] of stages.entries()) {
      for (const [k, width] of widths.entries()) {
        y = n.op("Relu", [conv(n.scope(`stage${i}/conv${k}`), y, width, { kernel: 3 })]);
      }
      y = maxPool(n, y, { kernel: 2 });
    }
    const features = n.op("Relu", [linear(n.scope("hidden"), n.op("Flatten", [y], { axis: 1 }), hidden)]);
    n.output(linear(n.scope("head"), features, 10), "logits");
    n.output(features, "features");
  });
}

export interface DistillationSize {
  readonly training: number;
  readonly validation: number;
  readonly test: number;
  readonly epochs: number;
  /** Samples of the three tasks. */
  readonly tasks: readonly [number, number, number];
  readonly taskEpochs: number;
  readonly seeds: readonly number[];
}

const full: DistillationSize = {
  training: 8000,
  validation: 2000,
  test: 5000,
  epochs: 15,
  tasks: [6000, 3000, 1500],
  taskEpochs: 6,
  seeds: [1, 2, 3, 4, 5],
};

const usual = {
  batch: 64,
  optimizer: adamw({ weightDecay: 0.01 }),
  learningRate: 1e-3,
  schedule: "warmup",
  session: { threads: 1 },
} as const;

interface Sets {
  readonly training: Dataset;
  readonly validation: Dataset;
  readonly test: Dataset;
  readonly classes: ArrayLike<number>;
}

/** One trained network: a share of right answers, by what it learned from. */
interface Trained {
  readonly way: string;
  readonly seed: number;
  readonly validation: number;
  readonly test: number;
  readonly cpuMinutes: number;
}

/** Ways to teach the student of two layers, settings as published, none tuned here. */
type Way = (sets: Sets, seed: number) => { readonly losses: readonly DistillationLoss[]; readonly labelWeight: number };

const hinton: Way = () => ({ losses: [softTargets({ temperature: 4, weight: 0.9 })], labelWeight: 0.1 });
const decoupled: Way = () => ({ losses: [decoupledTargets({ temperature: 4, target: 1, others: 2 })], labelWeight: 1 });
const contrasted: Way = ({ classes }, seed) => ({
  losses: [contrasts({ pairs, classes, width: 64, negatives: 256, weight: 0.8, seed })],
  labelWeight: 1,
});

const ways = {
  "soft targets of 10 layers": { way: hinton, teacher: "10 layers" },
  "soft targets of 10 layers by way of 4": { way: hinton, teacher: "4 layers, soft targets of 10" },
  "soft targets of 4 layers": { way: hinton, teacher: "4 layers" },
  "decoupled targets of 10 layers": { way: decoupled, teacher: "10 layers" },
  "contrasts of 10 layers": { way: contrasted, teacher: "10 layers" },
} as const;

const ALONE = "labels alone";

const measured = { loss: "crossEntropy", output: "logits", metrics: ["accuracy"], batch: 250 } as const;

async function accuracyOf(model: Model, data: Dataset, output = "logits"): Promise<number> {
  const { accuracy } = await evaluateModel(model, { ...measured, output, data, session: { threads: 1 } });
  return accuracy!;
}

type Log = (line: string) => void;

interface Result {
  readonly model: Model;
  readonly row: Trained;
}

async function trainedBy(
  way: string,
  seed: number,
  sets: Sets,
  start: (options: Omit<FitOptions, "output">) => ReturnType<typeof fit>,
  { epochs, log }: { readonly epochs: number; readonly log: Log },
): Promise<Result> {
  const options = { ...usual, data: sets.training, epochs, seed, loss: "crossEntropy" } as const;
  const name = `distillation-${way.replace(/\W+/g, "-")}-${seed}`;
  const checkpointed = (folder: string) => start({ ...options, checkpoint: { folder }, resume: true });
  const { model, cpuMinutes } = await trainResumably(name, checkpointed, log);
  const [validation, test] = [await accuracyOf(model, sets.validation), await accuracyOf(model, sets.test)];
  return { model, row: { way, seed, validation, test, cpuMinutes } };
}

/** All networks of one seed: the teachers, the student alone, then the student by every way. */
async function chained(sets: Sets, seed: number, { epochs }: DistillationSize, log: Log): Promise<readonly Trained[]> {
  const pace = { epochs, log };
  const alone = (depth: Depth, way: string) =>
    trainedBy(way, seed, sets, (options) => fit(plainNetwork(depth, seed), { ...options, output: "logits" }), pace);
  const taught = (depth: Depth, way: string, teacher: Model, by: Way) =>
    trainedBy(
      way,
      seed,
      sets,
      (options) => {
        const joint = { teacher, teacherOutput: "logits", output: "logits", ...by(sets, seed) };
        const cache = { folder: `${options.checkpoint!.folder}/answers` };
        return distill(plainNetwork(depth, seed), { ...options, ...joint, cache });
      },
      pace,
    );
  const ten = await alone(10, "10 layers");
  const four = await alone(4, "4 layers");
  const assistant = await taught(4, "4 layers, soft targets of 10", ten.model, hinton);
  const teachers: Readonly<Record<string, Model>> = Object.fromEntries(
    [ten, four, assistant].map(({ model, row }) => [row.way, model]),
  );
  const rows = [ten.row, four.row, assistant.row, (await alone(2, ALONE)).row];
  for (const [name, { way, teacher }] of Object.entries(ways)) {
    rows.push((await taught(2, name, teachers[teacher]!, way)).row);
  }
  return rows;
}

/** What three tasks ask of a picture of Fashion-MNIST: what it is, where it is worn, and whether it is a shoe. */
const tasks = {
  kind: { classes: 10, of: (label: number) => label },
  place: { classes: 3, of: (label: number) => [0, 1, 0, 0, 0, 2, 0, 2, 1, 2][label]! },
  shoe: { classes: 2, of: (label: number) => Number([5, 7, 9].includes(label)) },
} as const;

type TaskName = keyof typeof tasks;
const taskNames = Object.keys(tasks) as TaskName[];

function headed(seed: number, names: readonly TaskName[]): Model {
  return network(random(seed, 7), (n: Layers) => {
    let y = n.input("input", "float32", ["batch", 1, 28, 28]);
    for (const [i, width] of [8, 16].entries()) {
      y = maxPool(n, n.op("Relu", [conv(n.scope(`conv${i}`), y, width, { kernel: 3 })]), { kernel: 2 });
    }
    const hidden = n.op("Relu", [linear(n.scope("hidden"), n.op("Flatten", [y], { axis: 1 }), 32)]);
    for (const name of names) n.output(linear(n.scope(name), hidden, tasks[name].classes), name);
  });
}

/** The pictures with the labels of a task. */
async function asked(data: Dataset, name: TaskName): Promise<Dataset> {
  const { of } = tasks[name];
  const labels = Array.from(await data.labels!(), of);
  async function* pick(positions: readonly number[]): ReturnType<Dataset["pick"]> {
    for await (const sample of data.pick(positions)) yield { ...sample, label: of(sample.label!) };
  }
  const all = Array.from(labels, (_, i) => i);
  return {
    size: data.size,
    labels: async () => labels,
    pick,
    [Symbol.asyncIterator]: () => pick(all)[Symbol.asyncIterator](),
  };
}

interface Shared {
  readonly form: string;
  readonly seed: number;
  /** Of each task, on the test pictures. */
  readonly test: Readonly<Record<TaskName, number>>;
}

const shares = { annealed: undefined, "labels alone": 1, "teachers alone": 0, "half and half": 0.5 } as const;

async function sharedBy(
  pictures: { readonly training: Dataset; readonly test: Dataset },
  seed: number,
  { tasks: sizes, taskEpochs: epochs }: DistillationSize,
  log: Log,
): Promise<readonly Shared[]> {
  const counts = Object.fromEntries(taskNames.map((name, i) => [name, sizes[i]!])) as Record<TaskName, number>;
  const { rest: _, ...parts } = await partition(pictures.training, { ...counts, rest: "rest" }, seed);
  const tests = await Promise.all(taskNames.map((name) => asked(pictures.test, name)));
  const scored = async (form: string, modelOf: (name: TaskName) => Model): Promise<Shared> => {
    const test: Partial<Record<TaskName, number>> = {};
    for (const [i, name] of taskNames.entries()) test[name] = await accuracyOf(modelOf(name), tests[i]!, name);
    log(`${form}, seed ${seed}: ${JSON.stringify(test)}`);
    return { form, seed, test: test as Record<TaskName, number> };
  };
  const options = { ...usual, seed, learningRate: 2e-3 };
  const teachers = new Map<TaskName, { readonly model: Model; readonly data: Dataset }>();
  for (const name of taskNames) {
    const data = await asked(parts[name], name);
    const single = { ...options, data, epochs: 3 * epochs, loss: "crossEntropy", output: name } as const;
    teachers.set(name, { model: (await fit(headed(seed, [name]), single).result).model, data });
  }
  const rows = [await scored("one network each", (name) => teachers.get(name)!.model)];
  const given = taskNames.map((name) => {
    const { model: teacher, data } = teachers.get(name)!;
    return { name, teacher, data, output: name, teacherOutput: name };
  });
  for (const [form, labelShare] of Object.entries(shares)) {
    const share = labelShare === undefined ? {} : { labelShare };
    const all = { ...options, tasks: given, epochs: 3 * epochs, ...share };
    const { model } = await multiTask(headed(seed, taskNames), all).result;
    rows.push(await scored(form, () => model));
  }
  return rows;
}

interface Figures {
  readonly students: readonly Trained[];
  readonly shared: readonly Shared[];
}

async function first(data: Dataset, count: number): Promise<Dataset> {
  const positions = Array.from({ length: Math.min(count, data.size) }, (_, i) => i);
  return inMemory(subset(data, positions));
}

export function distillationAt(size: DistillationSize): Experiment<Figures> {
  const { training, validation, test, epochs, seeds, tasks: sizes } = size;
  return {
    name: "distillation",
    claim:
      "A small network learns more from a larger one than from labels alone; an assistant between them helps where the gap is large; so do other losses than soft targets, and teachers that give way to labels.",
    source: "arXiv:1503.02531, arXiv:1902.03393, arXiv:2203.08679, arXiv:1910.10699, arXiv:1907.04829",
    workload: `CIFAR-10: plain networks of 10, 4 and 2 convolutions (Mirzadeh et al.), ${training} training pictures, ${validation} for validation, which choose nothing here, ${test} for the test, seen once per network; ${epochs} epochs, AdamW at 0.001, batch 64, one thread. Soft targets at T = 4 weigh 0.9 beside 0.1 of the labels; decoupled targets T = 4, 1 and 2, contrasts 64 wide, 256 negatives, weight 0.8, both beside the labels: as published but for sizes, none tuned. Fashion-MNIST: ${sizes.join(", ")} pictures of three tasks, one student with three heads and three teachers of its own size.`,
    seeds: [...seeds],
    criterion:
      "over the seeds, paired, the whole 95 % interval of the difference in test accuracy is above 0 for soft targets against labels alone; at least 0 for the assistant against soft targets of 10 layers, for decoupled targets and for contrasts against soft targets; above 0 for annealing against labels alone, against teachers alone and against half and half, as the mean of three tasks.",
    async run({ shared, once, log }) {
      const port = { name: "input", dtype: "float32", dims: ["batch", 3, 32, 32] } as const;
      const cifar = (name: string) => openData(`${shared}/data/cifar10/${name}.bin`, { preprocess: "cifar10", port });
      const small = { name: "input", dtype: "float32", dims: ["batch", 1, 28, 28] } as const;
      const fashion = (name: string) =>
        openData(`${shared}/data/fashion-mnist/${name}-images-idx3-ubyte.gz`, { port: small });
      const [pool, held] = [await cifar("train-20000"), await first(await cifar("test-5000"), test)];
      const pictures = {
        training: await first(await fashion("train"), 4 * sizes.reduce((a, b) => a + b)),
        test: await first(await fashion("t10k"), test),
      };
      const students: Trained[] = [];
      const networks: Shared[] = [];
      for (const seed of seeds) {
        const tasksDone = await once(`tasks, seed ${seed}`, () => sharedBy(pictures, seed, size, log));
        for (const row of tasksDone) networks.push(row);
        const done = await once(`students, seed ${seed}`, async () => {
          const parts = await partition(pool, { training, validation, rest: "rest" }, seed);
          const own = await inMemory(parts.training);
          const sets = { training: own, validation: await inMemory(parts.validation), test: held };
          return chained({ ...sets, classes: await own.labels!() }, seed, size, log);
        });
        for (const row of done) students.push(row);
      }
      return { students, shared: networks };
    },
    judge: judged,
    page: paged,
  };
}

const [KD, ASSISTED, , DKD, CRD] = Object.keys(ways) as [string, string, string, string, string];

function judged({ students, shared }: Figures): readonly Judgement[] {
  const of = (way: string) => students.filter((row) => row.way === way).map(({ test }) => test);
  const over = (what: string, way: string, other: string, isSo: typeof isAbove): Judgement => {
    const gains = of(way).map((test, i) => test - of(other)[i]!);
    return { what, holds: isSo(meanInterval(gains), 0), figure: overSeeds(gains, points) };
  };
  const meanOf = (form: string) =>
    shared.filter((row) => row.form === form).map(({ test }) => meanAndDeviation(Object.values(test)).mean);
  const annealed = (other: string): Judgement => {
    const gains = meanOf("annealed").map((mean, i) => mean - meanOf(other)[i]!);
    return {
      what: `annealing above ${other}`,
      holds: isAbove(meanInterval(gains), 0),
      figure: overSeeds(gains, points),
    };
  };
  return [
    over("soft targets of 10 layers above labels alone", KD, ALONE, isAbove),
    over("with an assistant at least as good as without", ASSISTED, KD, isAtLeast),
    over("decoupled targets at least as good as soft targets", DKD, KD, isAtLeast),
    over("contrasts at least as good as soft targets", CRD, KD, isAtLeast),
    ...["labels alone", "teachers alone", "half and half"].map(annealed),
  ];
}

function paged({ students, shared }: Figures): string {
  const names = [...new Set(students.map(({ way }) => way))];
  const alone = students.filter(({ way }) => way === ALONE).map(({ test }) => test);
  const rows = names.map((name) => {
    const own = students.filter(({ way }) => way === name);
    const { mean, deviation } = meanAndDeviation(own.map(({ test }) => test));
    const gains = own.map(({ test }, i) => test - alone[i]!);
    const isStudent = name === ALONE || name in ways;
    return [
      isStudent ? `2 layers, ${name}` : name,
      `${percentage(mean)} ± ${percentage(deviation)}`,
      isStudent && name !== ALONE ? overSeeds(gains, points) : "",
      meanAndDeviation(own.map(({ cpuMinutes }) => cpuMinutes)).mean.toFixed(1),
    ];
  });
  const forms = [...new Set(shared.map(({ form }) => form))].map((form) => {
    const own = shared.filter((row) => row.form === form);
    const each = taskNames.map((name) => percentage(meanAndDeviation(own.map(({ test }) => test[name])).mean));
    const means = own.map(({ test }) => meanAndDeviation(Object.values(test)).mean);
    return [form, ...each, percentage(meanAndDeviation(means).mean)];
  });
  return [
    markdownTable(["CIFAR-10", "test", "over labels alone", "CPU minutes"], rows),
    markdownTable(["Fashion-MNIST, one student for", ...taskNames, "mean"], forms),
  ].join("\n\n");
}

export const distillation = distillationAt(full);
