/** @file The network that `lithe train` begins with: a file, or one made for the data. */
import { type Dataset, random } from "../data/index.ts";
import { DataError, UsageError } from "../errors.ts";
import type { Model } from "../ir/index.ts";
import { lenet, mlp, paraFormer, resnet, vit } from "../models/index.ts";
import { loadModel } from "../onnx/files.ts";
import { freezeInitializers, upgradeOpset } from "../passes/index.ts";

interface Shape {
  /** Of one sample. */
  readonly input: readonly number[];
  readonly classes: number;
}

/** Networks for samples of [channels, height, width]; `mlp` takes any. */
const named: ReadonlyMap<string, (seed: number, shape: Shape) => Model> = new Map([
  ["mlp", (seed, { input, classes }) => mlp(random(seed), { input, classes })],
  ["lenet", (seed, shape) => lenet(random(seed), { ...square(shape), classes: shape.classes })],
  ["resnet20", (seed, shape) => resnet(random(seed), { ...square(shape), classes: shape.classes, depth: 20 })],
  ["resnet56", (seed, shape) => resnet(random(seed), { ...square(shape), classes: shape.classes, depth: 56 })],
  ["vit", (seed, shape) => vit(random(seed), { ...square(shape), classes: shape.classes })],
  ["para-former", (seed, shape) => paraFormer(random(seed), { ...square(shape), classes: shape.classes })],
]);

export const networkNames = [...named.keys()];

/** The model of a file, brought to lithe's opset, or `undefined` when the name is that of a network. */
export async function modelToTrain(name: string): Promise<Model | undefined> {
  if (named.has(name)) return undefined;
  if (!name.endsWith(".onnx")) {
    throw new UsageError("there is no such network", {
      expected: `an .onnx file, or one of ${networkNames.join(", ")}`,
      got: JSON.stringify(name),
    });
  }
  const { model } = await upgradeOpset().run(await loadModel(name));
  return (await freezeInitializers().run(model)).model;
}

/** A new network for samples like those of the data. */
export async function networkFor(name: string, data: Dataset, seed: number): Promise<Model> {
  const build = named.get(name)!;
  return build(seed, { input: await sampleDims(data), classes: await classCount(data) });
}

async function sampleDims(data: Dataset): Promise<readonly number[]> {
  for await (const { inputs } of data.pick([0])) {
    const [tensor] = inputs.values();
    if (tensor && inputs.size === 1 && inputs.has("input")) return tensor.dims;
  }
  throw new DataError("a named network takes samples of one input", {
    expected: 'one input called "input"',
    hint: "Train an .onnx file whose inputs are those of the data.",
  });
}

async function classCount({ classes, labels }: Dataset): Promise<number> {
  if (classes) return classes.length;
  const all = await labels?.();
  if (!all || all.length === 0)
    throw new DataError("training needs labelled data", { hint: "Name them with --labels." });
  return Math.max(...new Set(Array.from(all))) + 1;
}

function square({ input: [channels = 0, size = 0, width], input }: Shape): { channels: number; size: number } {
  if (input.length === 3 && size === width) return { channels, size };
  throw new DataError("this network takes square pictures", {
    expected: "[channels, size, size]",
    got: `[${input.join(", ")}]`,
    hint: "Give a preprocessing with a square size, or take mlp.",
  });
}
