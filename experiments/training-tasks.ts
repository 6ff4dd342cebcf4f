/** @file Networks, data and optimizers on which training is compared with PyTorch; bench/peers/torch_networks.py has the same networks. */
import { random } from "../src/data/index.ts";
import { isSparse, type Model, sizeOf, type Tensor, tensorFromNumbers } from "../src/ir/index.ts";
import { gpt, mlp, resnet, vit } from "../src/models/index.ts";
import { adam, adamw, crossEntropy, type Optimizer, sgd, type TrainingStep, trainingStep } from "../src/train/index.ts";

/** A network with all its options spelled out, since both sides read them. */
export type NetworkSpec =
  | { readonly network: "mlp"; readonly options: { input: number[]; hidden: number[]; classes: number } }
  | {
      readonly network: "resnet";
      readonly options: { depth: number; width: number; channels: number; size: number; classes: number };
    }
  | {
      readonly network: "vit";
      readonly options: Record<
        "channels" | "size" | "patch" | "width" | "depth" | "heads" | "expansion" | "classes",
        number
      >;
    }
  | {
      readonly network: "gpt";
      readonly options: Record<"vocabulary" | "context" | "width" | "depth" | "heads", number>;
    };

export type TrainingTask = NetworkSpec & {
  readonly name: string;
  readonly batch: number;
  /** Learning rates by optimizer where the task takes others than `parityOptimizers` says. */
  readonly rates?: Readonly<Record<OptimizerSpec["name"], number>>;
};

/** Settings under the names that torch.optim gives them. */
export type OptimizerSpec =
  | { readonly name: "sgd"; readonly settings: { lr: number; momentum: number; weight_decay: number } }
  | { readonly name: "adam"; readonly settings: { lr: number; weight_decay: number } }
  | { readonly name: "adamw"; readonly settings: { lr: number; weight_decay: number; fused?: boolean } };

const resnet20 = {
  network: "resnet",
  options: { depth: 20, width: 16, channels: 3, size: 32, classes: 10 },
  batch: 16,
} as const;

/**
 * Small enough for fifty steps with every optimizer in seconds; ResNet-20 has its own size. At the usual rates ResNet-20
 * with batches of 16 multiplies rounding errors at every step, so that no two float32 programs agree for long; it
 * stands here at these and at rates that keep it out of chaos.
 */
export const parityTasks: readonly TrainingTask[] = [
  { name: "MLP", network: "mlp", options: { input: [64], hidden: [128, 128], classes: 10 }, batch: 32 },
  { name: "ResNet-20", ...resnet20, rates: { sgd: 2e-4, adam: 2e-5, adamw: 2e-5 } },
  { name: "ResNet-20, usual rates", ...resnet20 },
  {
    name: "ViT",
    network: "vit",
    options: { channels: 3, size: 16, patch: 4, width: 64, depth: 4, heads: 4, expansion: 4, classes: 10 },
    batch: 16,
  },
  { name: "GPT", network: "gpt", options: { vocabulary: 65, context: 32, width: 64, depth: 3, heads: 4 }, batch: 8 },
];

const parityOptimizers: readonly OptimizerSpec[] = [
  { name: "sgd", settings: { lr: 0.02, momentum: 0.9, weight_decay: 5e-4 } },
  { name: "adam", settings: { lr: 1e-3, weight_decay: 0 } },
  { name: "adamw", settings: { lr: 1e-3, weight_decay: 0.05 } },
];

/** The optimizers of a task, with the rates that it takes. */
export function optimizersOf({ rates }: TrainingTask): readonly OptimizerSpec[] {
  if (!rates) return parityOptimizers;
  return parityOptimizers.map(
    (optimizer) => ({ ...optimizer, settings: { ...optimizer.settings, lr: rates[optimizer.name] } }) as OptimizerSpec,
  );
}

export function networkOf(task: NetworkSpec, seed: number): Model {
  const source = random(seed);
  switch (task.network) {
    case "mlp":
      return mlp(source, task.options);
    case "resnet":
      return resnet(source, task.options);
    case "vit":
      return vit(source, task.options);
    case "gpt":
      return gpt(source, task.options);
  }
}

export function optimizerOf({ name, settings }: OptimizerSpec): Optimizer {
  switch (name) {
    case "sgd":
      return sgd({ momentum: settings.momentum, weightDecay: settings.weight_decay });
    case "adam":
      return adam({ weightDecay: settings.weight_decay });
    case "adamw":
      return adamw({ weightDecay: settings.weight_decay });
  }
}

/** The step as PyTorch takes it: all parameters decay. */
export function stepOf(task: NetworkSpec, model: Model, optimizer: OptimizerSpec): TrainingStep {
  return trainingStep(model, {
    loss: crossEntropy({ axis: task.network === "gpt" ? -1 : 1 }),
    optimizer: optimizerOf(optimizer),
    decayExclude: [],
  });
}

export interface TaskBatch {
  readonly input: Tensor;
  readonly labels: Tensor;
}

/** Batches that can be learned: a noisy picture per class, or tokens that mostly follow from the one before. */
export function taskBatches(task: TrainingTask, count: number, seed: number): readonly TaskBatch[] {
  const make = task.network === "gpt" ? tokenBatches(task.options, task.batch) : pictureBatches(task, seed);
  return Array.from({ length: count }, (_, i) => make(random(seed, 1, i)));
}

function tokenBatches({ vocabulary, context }: { vocabulary: number; context: number }, batch: number) {
  return (source: ReturnType<typeof random>): TaskBatch => {
    const rows = Array.from({ length: batch }, () => {
      const row = [source.below(vocabulary)];
      while (row.length <= context) {
        const follows = (5 * row.at(-1)! + 7) % vocabulary;
        row.push(source.uniform() < 0.8 ? follows : source.below(vocabulary));
      }
      return row;
    });
    const ids = (from: number) => rows.flatMap((row) => row.slice(from, from + context));
    return {
      input: tensorFromNumbers("int64", [batch, context], ids(0)),
      labels: tensorFromNumbers("int64", [batch, context], ids(1)),
    };
  };
}

function pictureBatches(task: Exclude<TrainingTask, { network: "gpt" }>, seed: number) {
  const dims = sampleDims(task);
  const size = sizeOf(dims);
  const source = random(seed, 0);
  const pictures = Array.from({ length: task.options.classes * size }, () => source.normal());
  return (noise: ReturnType<typeof random>): TaskBatch => {
    const labels = Array.from({ length: task.batch }, () => noise.below(task.options.classes));
    const numbers = Float32Array.from(
      { length: task.batch * size },
      (_, i) => 0.5 * pictures[labels[Math.floor(i / size)]! * size + (i % size)]! + noise.normal(),
    );
    return {
      input: tensorFromNumbers("float32", [task.batch, ...dims], numbers),
      labels: tensorFromNumbers("int64", [task.batch], labels),
    };
  };
}

function sampleDims(task: Exclude<TrainingTask, { network: "gpt" }>): readonly number[] {
  return task.network === "mlp" ? task.options.input : [task.options.channels, task.options.size, task.options.size];
}

/** The weights and running statistics of a model by name; its constants of formulas are scalars and integers. */
export function weightsOf({ graph }: Model): Map<string, Tensor> {
  const weights = new Map<string, Tensor>();
  for (const [{ name }, data] of graph.initializers) {
    if (!isSparse(data) && data.dtype === "float32" && data.dims.length > 0) weights.set(name, data);
  }
  return weights;
}

/** What a step takes beside its state; `number` counts from 1. */
export function stepInputs(
  step: TrainingStep,
  { input, labels }: TaskBatch,
  number: number,
  rate: number,
): Map<string, Tensor> {
  return new Map([
    [step.batch[0]!, input],
    [step.labels!, labels],
    [step.learningRate, tensorFromNumbers("float32", [], [rate])],
    [step.step, tensorFromNumbers("int64", [], [number])],
  ]);
}
