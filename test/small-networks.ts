/** @file Every shipped network in a small size, with what it is fed. */
import { random } from "../src/data/index.ts";
import { type Model, sizeOf, type Tensor, tensorFromNumbers } from "../src/ir/index.ts";
import {
  bert,
  googlenet,
  gpt,
  imagenetResnet,
  imagenetVgg,
  lenet,
  type ModelName,
  mlp,
  mobilenetV1,
  mobilenetV2,
  mobilenetV3,
  msdnet,
  nin,
  paraFormer,
  paraGpt,
  paraResnet,
  quasiRecurrent,
  recurrent,
  reformer,
  resnet,
  shufflenet,
  shufflenetV2,
  sliced,
  squeezenet,
  vgg,
  vit,
} from "../src/models/index.ts";

export interface SmallNetwork {
  readonly make: (seed: number) => Model;
  readonly input: string;
  readonly dims: readonly number[];
  /** Ids below this; floats when absent. */
  readonly ids?: number;
  readonly labelDims: readonly number[];
  /** The axis of the classes. */
  readonly axis: number;
  /** Why none of its widths can be cut, where none can. */
  readonly whole?: string;
  /** Of its learning; 0.01 when absent. A ReLU behind the last layer is for ever zero after steps that are too large. */
  readonly rate?: number;
}

export const smallNetworks: Readonly<Record<ModelName, SmallNetwork>> = {
  mlp: {
    make: (seed) => mlp(random(seed), { input: [1, 4, 4], hidden: [8, 8], classes: 3, dropout: 0.1 }),
    input: "input",
    dims: [6, 1, 4, 4],
    labelDims: [6],
    axis: 1,
  },
  lenet: {
    make: (seed) => lenet(random(seed), { size: 16, classes: 3 }),
    input: "input",
    dims: [6, 1, 16, 16],
    labelDims: [6],
    axis: 1,
  },
  resnet: {
    make: (seed) => resnet(random(seed), { depth: 8, width: 4, size: 8, classes: 3 }),
    input: "input",
    dims: [6, 3, 8, 8],
    labelDims: [6],
    axis: 1,
  },
  imagenetResnet: {
    make: (seed) => imagenetResnet(random(seed), { depth: 18, width: 4, size: 16, classes: 3 }),
    input: "input",
    dims: [6, 3, 16, 16],
    labelDims: [6],
    axis: 1,
  },
  mobilenetV2: {
    make: (seed) => mobilenetV2(random(seed), { width: 0.1, most: 1, size: 48, classes: 3, dropout: 0 }),
    input: "input",
    dims: [6, 3, 48, 48],
    labelDims: [6],
    axis: 1,
  },
  msdnet: {
    make: (seed) => {
      const shape = { classifiers: 2, base: 2, step: 1, scales: 2, width: 4, growth: 2, head: 6 };
      return msdnet(random(seed), { ...shape, size: 8, classes: 3 });
    },
    input: "input",
    dims: [6, 3, 8, 8],
    labelDims: [6],
    axis: 1,
  },
  vgg: {
    make: (seed) => vgg(random(seed), { width: 4, size: 8, classes: 3 }),
    input: "input",
    dims: [6, 3, 8, 8],
    labelDims: [6],
    axis: 1,
  },
  vit: {
    make: (seed) => vit(random(seed), { size: 8, patch: 4, width: 12, depth: 2, classes: 3, dropPath: 0.1 }),
    input: "input",
    dims: [6, 3, 8, 8],
    labelDims: [6],
    axis: 1,
  },
  gpt: {
    make: (seed) => gpt(random(seed), { vocabulary: 7, context: 5, width: 8, depth: 1, heads: 2 }),
    input: "ids",
    dims: [3, 5],
    ids: 7,
    labelDims: [3, 5],
    axis: -1,
  },
  paraFormer: {
    make: (seed) => {
      const shape = { size: 8, patch: 4, width: 12, depth: 2, branches: 3, classes: 3 };
      return paraFormer(random(seed), { ...shape, pooling: "class", combine: "learnedScale" });
    },
    input: "input",
    dims: [6, 3, 8, 8],
    labelDims: [6],
    axis: 1,
  },
  paraGpt: {
    make: (seed) => paraGpt(random(seed), { vocabulary: 7, context: 5, width: 8, branches: 2, heads: 2 }),
    input: "ids",
    dims: [3, 5],
    ids: 7,
    labelDims: [3, 5],
    axis: -1,
  },
  paraResnet: {
    make: (seed) => paraResnet(random(seed), { width: 4, size: 8, classes: 3 }),
    input: "input",
    dims: [6, 3, 8, 8],
    labelDims: [6],
    axis: 1,
  },
  nin: {
    make: (seed) => nin(random(seed), { width: 0.05, dropout: 0, size: 8, classes: 3 }),
    input: "input",
    dims: [6, 3, 8, 8],
    labelDims: [6],
    axis: 1,
  },
  imagenetVgg: {
    make: (seed) =>
      imagenetVgg(random(seed), { depth: 11, width: 4, hidden: 12, norm: true, dropout: 0, size: 32, classes: 3 }),
    input: "input",
    dims: [6, 3, 32, 32],
    labelDims: [6],
    axis: 1,
  },
  googlenet: {
    make: (seed) => googlenet(random(seed), { width: 0.05, dropout: 0, size: 64, classes: 3 }),
    input: "input",
    dims: [6, 3, 64, 64],
    labelDims: [6],
    axis: 1,
  },
  squeezenet: {
    make: (seed) => squeezenet(random(seed), { width: 0.12, dropout: 0, size: 64, classes: 3 }),
    input: "input",
    dims: [6, 3, 64, 64],
    labelDims: [6],
    axis: 1,
    rate: 0.002,
  },
  mobilenetV1: {
    make: (seed) => mobilenetV1(random(seed), { width: 0.1, most: 1, size: 32, classes: 3 }),
    input: "input",
    dims: [6, 3, 32, 32],
    labelDims: [6],
    axis: 1,
  },
  mobilenetV3: {
    make: (seed) => mobilenetV3(random(seed), { width: 0.2, most: 4, dropout: 0, size: 32, classes: 3 }),
    input: "input",
    dims: [6, 3, 32, 32],
    labelDims: [6],
    axis: 1,
  },
  shufflenet: {
    make: (seed) => shufflenet(random(seed), { groups: 2, width: 0.1, most: 2, size: 32, classes: 3 }),
    input: "input",
    dims: [6, 3, 32, 32],
    labelDims: [6],
    axis: 1,
    whole: "channels that are shuffled between groups stand in a fixed order",
  },
  shufflenetV2: {
    make: (seed) => shufflenetV2(random(seed), { width: 0.5, most: 1, last: 16, size: 32, classes: 3 }),
    input: "input",
    dims: [6, 3, 32, 32],
    labelDims: [6],
    axis: 1,
  },
  recurrent: {
    make: (seed) => recurrent(random(seed), { input: [5, 4], cell: "gru", hidden: 8, classes: 3 }),
    input: "input",
    dims: [6, 5, 4],
    labelDims: [6],
    axis: 1,
    whole: "states go round",
  },
  quasiRecurrent: {
    make: (seed) => quasiRecurrent(random(seed), { input: [5, 4], hidden: 8, depth: 2, pooling: "ifo", classes: 3 }),
    input: "input",
    dims: [6, 5, 4],
    labelDims: [6],
    axis: 1,
    whole: "states go round",
  },
  sliced: {
    make: (seed) => sliced(random(seed), { input: [8, 4], hidden: 8, parts: 2, times: 2, classes: 3 }),
    input: "input",
    dims: [6, 8, 4],
    labelDims: [6],
    axis: 1,
    whole: "states go round",
  },
  reformer: {
    make: (seed) =>
      reformer(random(seed), {
        input: [8, 4],
        width: 8,
        depth: 1,
        heads: 2,
        bucket: 2,
        hashes: 2,
        chunks: 2,
        classes: 3,
      }),
    input: "input",
    dims: [6, 8, 4],
    labelDims: [6],
    axis: 1,
  },
  bert: {
    make: (seed) =>
      bert(random(seed), { vocabulary: 7, context: 8, width: 16, depth: 1, heads: 2, padding: 0, classes: 3 }),
    input: "ids",
    dims: [6, 8],
    ids: 7,
    labelDims: [6],
    axis: 1,
  },
};

/** One batch. */
export function sampleOf({ dims, ids }: SmallNetwork, seed = 1): Tensor {
  const source = random(seed);
  const numbers = Array.from({ length: sizeOf(dims) }, () => (ids ? source.below(ids) : source.normal()));
  return tensorFromNumbers(ids ? "int64" : "float32", dims, numbers);
}
