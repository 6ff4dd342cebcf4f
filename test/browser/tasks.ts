/** @file Two small trainings that run alike in Node and in a page: a convolutional net with BatchNormalization, and a GPT. */
import { type Dataset, datasetOf, random } from "../../src/data/index.ts";
import { type Model, sizeOf, type Tensor, tensorFromNumbers } from "../../src/ir/index.ts";
import { gpt } from "../../src/models/index.ts";
import { batchNorm, conv, globalAveragePool, linear, maxPool, network } from "../../src/nn/index.ts";
import type { SessionOptions } from "../../src/runtime/session.ts";
import { adamw, crossEntropy, fit, type Loss } from "../../src/train/index.ts";

interface Task {
  readonly model: () => Model;
  readonly data: Dataset;
  readonly loss: Loss;
  readonly labels?: string;
}

const CLASSES = 3;
const CONTEXT = 6;

function normNet(): Model {
  return network(random(1), (n) => {
    let y = n.input("x", "float32", ["batch", 2, 8, 8]);
    y = n.op("Relu", [batchNorm(n.scope("norm1"), conv(n.scope("conv1"), y, 4, { kernel: 3, bias: false }))]);
    y = maxPool(n, y, { kernel: 2 });
    y = n.op("Relu", [batchNorm(n.scope("norm2"), conv(n.scope("conv2"), y, 8, { kernel: 3, bias: false }))]);
    n.output(linear(n.scope("head"), globalAveragePool(n, y), CLASSES), "logits");
  });
}

/** Noise around a picture per class. */
function pictures(dims: readonly number[], size: number): Dataset {
  const pattern = random(2);
  const centres = Array.from({ length: CLASSES * sizeOf(dims) }, () => pattern.normal());
  return datasetOf({
    size,
    labels: async () => Float64Array.from({ length: size }, (_, i) => i % CLASSES),
    open: () => ({
      read(position) {
        const source = random(3, position);
        const label = position % CLASSES;
        const numbers = Array.from(
          { length: sizeOf(dims) },
          (_, i) => centres[label * sizeOf(dims) + i]! + 0.5 * source.normal(),
        );
        return { inputs: new Map([["x", tensorFromNumbers("float32", dims, numbers)]]), label, source: `${position}` };
      },
    }),
  });
}

/** Sequences in which each token follows from the one before. */
function sequences(size: number): Dataset {
  const row = (from: number): Tensor =>
    tensorFromNumbers(
      "int64",
      [CONTEXT],
      Array.from({ length: CONTEXT }, (_, i) => (from + 2 * i) % 7),
    );
  return datasetOf({
    size,
    open: () => ({
      read: (position) => ({
        inputs: new Map([
          ["ids", row(position)],
          ["next", row(position + 2)],
        ]),
        source: `${position}`,
      }),
    }),
  });
}

const tasks = {
  "a convolutional net with BatchNormalization": {
    model: normNet,
    data: pictures([2, 8, 8], 12),
    loss: crossEntropy(),
  },
  "a GPT with dropout": {
    model: () => gpt(random(1), { vocabulary: 7, context: CONTEXT, width: 8, depth: 1, heads: 2, dropout: 0.1 }),
    data: sequences(14),
    loss: crossEntropy({ axis: -1 }),
    labels: "next",
  },
} satisfies Record<string, Task>;

export type TaskName = keyof typeof tasks;

export const taskNames = Object.keys(tasks) as TaskName[];

export interface Losses {
  readonly losses: readonly number[];
  /** The trained parameters and statistics, as sums of magnitudes by name. */
  readonly sums: Readonly<Record<string, number>>;
}

/** Six epochs of one batch. */
export async function trainedLosses(name: TaskName, session: SessionOptions): Promise<Losses> {
  const { model, ...options }: Task = tasks[name];
  const run = fit(model(), {
    ...options,
    optimizer: adamw(),
    epochs: 6,
    batch: options.data.size,
    learningRate: 0.02,
    clip: 1,
    seed: 5,
    session,
  });
  const losses: number[] = [];
  for await (const event of run) if (event.type === "step") losses.push(event.loss);
  const { graph } = (await run.result).model;
  const sums = [...graph.initializers].flatMap(([value, data]) => {
    if (!("data" in data) || !(data.data instanceof Uint8Array) || data.dtype !== "float32") return [];
    const numbers = new Float32Array(data.data.slice().buffer);
    return [[value.name, numbers.reduce((sum, x) => sum + Math.abs(x), 0)] as const];
  });
  return { losses, sums: Object.fromEntries(sums) };
}
