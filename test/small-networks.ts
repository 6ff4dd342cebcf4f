/** @file Every shipped network in a small size, with what it is fed. */
import { random } from "../src/data/index.ts";
import { type Model, sizeOf, type Tensor, tensorFromNumbers } from "../src/ir/index.ts";
import {
  gpt,
  imagenetResnet,
  lenet,
  type ModelName,
  mlp,
  mobilenetV2,
  msdnet,
  paraFormer,
  paraGpt,
  paraResnet,
  resnet,
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
};

/** One batch. */
export function sampleOf({ dims, ids }: SmallNetwork, seed = 1): Tensor {
  const source = random(seed);
  const numbers = Array.from({ length: sizeOf(dims) }, () => (ids ? source.below(ids) : source.normal()));
  return tensorFromNumbers(ids ? "int64" : "float32", dims, numbers);
}
