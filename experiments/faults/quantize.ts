/** @file Faults of the quantizers: weights that are used twice, that stand in unusual places, or in recurrent layers. */
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type GraphBuilder,
  graphBuilder,
  type Model,
  model,
  sizeOf,
  tensor,
  type Value,
  withGraph,
} from "../../src/ir/index.ts";
import { saveModel } from "../../src/onnx/files.ts";
import { trainingStep } from "../../src/train/index.ts";
import { runCommand } from "./command.ts";
import type { Answer, Fault } from "./fault.ts";
import { inFolder } from "./in-folder.ts";

interface Told {
  readonly agreement?: { readonly relative?: number };
  readonly size?: { readonly ratio: number };
  readonly error?: { readonly message?: string };
}

/** `quantize` of a file; right when it is written, close to the original and smaller by the factor. */
async function quantized(path: string, words: readonly string[], error: number, smaller: number): Promise<Answer> {
  const folder = await mkdtemp(join(tmpdir(), "litheml-fault-"));
  const out = join(folder, "out.onnx");
  const { stdout, stderr, code } = await runCommand([
    "quantize",
    path,
    ...words,
    "--data",
    "random",
    "--json",
    "-o",
    out,
  ]);
  const isWritten = await stat(out).then(
    () => true,
    () => false,
  );
  await rm(folder, { recursive: true });
  if (code !== 0 || !isWritten) return { got: lastLine(stderr || stdout), ok: false };
  const { agreement, size } = JSON.parse(stdout) as Told;
  const [relative, ratio] = [agreement?.relative ?? Number.NaN, size?.ratio ?? 0];
  const got = `${ratio.toFixed(2)}x smaller, relative error ${relative.toExponential(1)}`;
  return { got, ok: relative < error && ratio > smaller };
}

function lastLine(text: string): string {
  return text.trim().split("\n").at(-1)?.slice(0, 200) ?? "";
}

async function quantizedModel(made: Model, words: readonly string[], error: number, smaller: number): Promise<Answer> {
  return inFolder(async (folder) => {
    const path = join(folder, "model.onnx");
    await saveModel(path, made);
    return await quantized(path, words, error, smaller);
  });
}

const WIDTH = 64;

function weights(dims: readonly number[], seed: number) {
  const wave = Float32Array.from({ length: sizeOf(dims) }, (_, i) => 0.2 * Math.sin(seed + i * (1.3 + 0.1 * seed)));
  return tensor("float32", dims, wave);
}

function network(dims: readonly (number | string)[], body: (g: GraphBuilder, x: Value) => Value): Model {
  const g = graphBuilder();
  g.output(body(g, g.input("x", "float32", dims)), "y");
  return model(g.build());
}

/** Six products with one weight. */
const shared = (): Model =>
  network(["batch", WIDTH], (g, x) => {
    const w = g.constant("w", weights([WIDTH, WIDTH], 1));
    return [1, 2, 3, 4, 5, 6].reduce((h) => g.op("Relu", [g.op("MatMul", [h, w])]), x);
  });

const recurrent = (opType: "LSTM" | "GRU", gates: number): Model =>
  network([20, "batch", WIDTH], (g, x) => {
    const matrices = [1, 2].map((seed) => g.constant("w", weights([1, gates * WIDTH, WIDTH], seed)));
    return g.op(opType, [x, ...matrices], { hidden_size: WIDTH });
  });

const tied = (): Model => {
  const g = graphBuilder();
  const table = g.constant("table", weights([512, WIDTH], 3));
  const looked = g.op("Gather", [table, g.input("ids", "int64", ["batch", 8])]);
  g.output(g.op("MatMul", [looked, g.op("Transpose", [table])]), "y");
  return model(g.build());
};

/** Two layers whose weights stand in Constant nodes, without the mark of those that lithe builds. */
function literals(): Model {
  const built = network(["batch", WIDTH], (g, x) => {
    const literal = (dims: readonly number[], seed: number) => g.op("Constant", [], { value: weights(dims, seed) });
    const hidden = g.op("Relu", [g.op("MatMul", [x, literal([WIDTH, WIDTH], 1)])]);
    return g.op("Gemm", [hidden, literal([WIDTH, 2], 2), g.constant("bias", weights([2], 3))]);
  });
  const nodes = built.graph.nodes.map(({ metadata: _, ...node }) => node);
  return withGraph(built, { ...built.graph, nodes });
}

/** Elements that a training step of the model changes. */
function trainedElements(): Answer {
  const { state } = trainingStep(literals(), { loss: "crossEntropy", optimizer: "sgd" });
  const parameters = state.filter(({ kind }) => kind === "parameter");
  const count = parameters.reduce((sum, { initial }) => sum + sizeOf(initial.dims), 0);
  const all = WIDTH * WIDTH + 2 * WIDTH + 2;
  return { got: `${count} of ${all} parameters are trained`, ok: count === all };
}

const USED_TWICE = "weights used twice";
const NAMES = "names";
const EXPORTED = "what others export";
const BLOCKS = ["--form", "weight-only", "--bits", "8", "--format", "dequantize", "--convolutions"];
const TWO_NODES = "the runtime refuses the file: two nodes with same node name (k_DequantizeLinear)";

export const quantizeFaults: readonly Fault[] = [
  {
    kind: NAMES,
    name: "shared-weight.onnx, --form static",
    right: "a file that loads, relative error about 1e-2",
    before: TWO_NODES,
    try: ({ shared: folder }) => quantized(join(folder, "cases/shared-weight.onnx"), ["--form", "static"], 0.05, 0),
  },
  {
    kind: NAMES,
    name: "shared-weight.onnx, blockwise weight-only",
    right: "a file that loads, relative error about 1e-2",
    before: TWO_NODES,
    try: ({ shared: folder }) => quantized(join(folder, "cases/shared-weight.onnx"), BLOCKS, 0.05, 1),
  },
  {
    kind: USED_TWICE,
    name: "align-depthwise-first.onnx, --form static",
    right: "a file that loads, close to the original",
    before: "the runtime refuses it: input channels 4, kernel channels 3",
    try: ({ shared: folder }) =>
      quantized(join(folder, "cases/align-depthwise-first.onnx"), ["--form", "static"], 0.1, 0),
  },
  {
    kind: USED_TWICE,
    name: "one weight of six products, --form dynamic",
    right: "stored once: more than twice as small",
    before: "0.57x smaller: six copies of the weight",
    try: () => quantizedModel(shared(), ["--form", "dynamic"], 0.1, 2),
  },
  {
    kind: USED_TWICE,
    name: "an embedding that is also the last matrix, --form dynamic",
    right: "stored once: more than three times as small",
    before: "0.79x smaller: the table in floats, its transposition in integers",
    try: () => quantizedModel(tied(), ["--form", "dynamic"], 0.1, 3),
  },
  {
    kind: USED_TWICE,
    name: "an embedding that is also the last matrix, --form float16",
    right: "half",
    before: "1.00x smaller: cleaning stored the transposition beside the table",
    try: () => quantizedModel(tied(), ["--form", "float16"], 0.01, 1.9),
  },
  {
    kind: EXPORTED,
    name: "training a network whose weights stand in Constant nodes",
    right: "all 4226 parameters are trained",
    before: "2 of 4226 parameters are trained, without a word",
    try: async () => trainedElements(),
  },
  {
    kind: EXPORTED,
    name: "an LSTM, --form dynamic",
    right: "more than three times as small",
    before: "1.00x smaller: recurrent weights stayed in floats, and the report did not say so",
    try: () => quantizedModel(recurrent("LSTM", 4), ["--form", "dynamic"], 0.1, 3),
  },
  {
    kind: EXPORTED,
    name: "a GRU, --form weight-only --bits 8",
    right: "more than three times as small",
    before: "1.00x smaller: recurrent weights stayed in floats, and the report did not say so",
    try: () => quantizedModel(recurrent("GRU", 3), ["--form", "weight-only", "--bits", "8"], 0.1, 3),
  },
];
