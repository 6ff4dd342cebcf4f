/** @file Pairs of networks whose ratio of times is known. */
import { random } from "../../src/data/index.ts";
import { graphBuilder, type Model, model, tensor } from "../../src/ir/index.ts";
import { vit } from "../../src/models/index.ts";
import { loadModel } from "../../src/onnx/files.ts";
import type { Feeds } from "../../src/runtime/index.ts";

export interface Pair {
  readonly name: string;
  /** Time of A over time of B. */
  readonly ratio: number;
  load(shared: string): Promise<{ readonly a: Model; readonly b: Model; readonly feeds: Feeds }>;
}

const noise = (name: string, dims: readonly number[]): Feeds =>
  new Map([[name, tensor("float32", dims, numbers(dims, 1))]]);

function numbers(dims: readonly number[], spread: number): Float32Array {
  const draws = random(5);
  const size = dims.reduce((product, dim) => product * dim, 1);
  return Float32Array.from({ length: size }, () => spread * draws.normal());
}

/** A model with itself. */
const itself = (name: string, dims: readonly number[], load: (shared: string) => Promise<Model> | Model): Pair => ({
  name,
  ratio: 1,
  async load(shared) {
    const loaded = await load(shared);
    return { a: loaded, b: loaded, feeds: noise(loaded.graph.inputs[0]!.name, dims) };
  },
});

const WIDTH = 256;
const ROWS = 64;
const LAYERS = 50;

/** Layers of equal cost, all of one matrix that stays in the cache: the time is proportional to their number. */
function layers(count: number): Model {
  const g = graphBuilder();
  const weight = tensor("float32", [WIDTH, WIDTH], numbers([WIDTH, WIDTH], Math.sqrt(2 / WIDTH)));
  const matrix = g.constant("weight", weight);
  let value = g.input("x", "float32", [ROWS, WIDTH]);
  for (let layer = 0; layer < count; layer++) value = g.op("Relu", [g.op("MatMul", [value, matrix])]);
  g.output(value, "y");
  return model(g.build());
}

const known = (more: number): Pair => ({
  name: `${LAYERS + more} layers against ${LAYERS}`,
  ratio: (LAYERS + more) / LAYERS,
  load: async () => ({ a: layers(LAYERS + more), b: layers(LAYERS), feeds: noise("x", [ROWS, WIDTH]) }),
});

export const selves: readonly Pair[] = [
  itself("ResNet-20", [1, 3, 32, 32], (shared) => loadModel(`${shared}/models/cifar10-resnet20.onnx`)),
  itself("SqueezeNet 1.1", [1, 3, 224, 224], (shared) => loadModel(`${shared}/models/squeezenet1.1.onnx`)),
  itself("ViT, 6 blocks of width 192", [1, 3, 32, 32], () =>
    vit(random(1), { size: 32, patch: 4, classes: 10, width: 192, heads: 3, depth: 6 }),
  ),
];
export const pairs: readonly Pair[] = [known(0), known(1), known(5)];
