/** @file The reference evaluator against ONNX Runtime: real models, and every kernel that ONNX's own cases do not reach. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  type BuilderAttributes,
  type DataType,
  float,
  floats,
  graphBuilder,
  type Model,
  model,
  numbersOf,
  qualifiedName,
  sizeOf,
  type Tensor,
  tensor,
  tensorFromNumbers,
} from "../../src/ir/index.ts";
import { decodeModel } from "../../src/onnx/index.ts";
import { evaluate, kernels } from "../../src/reference/index.ts";
import { openSession } from "../../src/runtime/index.ts";
import { describeShared, sharedPath } from "../shared.ts";

type Feeds = ReadonlyMap<string, Tensor>;

/** Runs both and gives the largest difference, as a part of the largest value. */
async function differences(subject: Model, feeds: Feeds): Promise<number[]> {
  const session = await openSession(subject, { optimization: "disabled" });
  const actual = await session.run(feeds);
  await session.release();
  const expected = evaluate(subject, feeds, { precision: "declared" });
  return [...actual].map(([name, result]) => {
    const reference = expected.get(name)!;
    expect(reference.dims).toEqual(result.dims);
    expect(reference.dtype).toBe(result.dtype);
    const [a, b] = [numbersOf(reference), numbersOf(result)];
    const scale = a.reduce((largest, value) => Math.max(largest, Math.abs(value)), 1e-30);
    return a.reduce((largest, value, i) => Math.max(largest, Math.abs(value - b[i]!)), 0) / scale;
  });
}

/** Spread-out numbers without a pattern, from −1 to 1. */
function waves(dims: readonly number[], shift = 0): number[] {
  return Array.from({ length: sizeOf(dims) }, (_, i) => Math.sin((i + 1) * 12.9898 + shift));
}

const realModels = [
  { file: "mnist-8.onnx", dims: { Input3: [1, 1, 28, 28] } },
  { file: "mnist-cnn.onnx", dims: {} },
  { file: "cifar10-resnet20.onnx", dims: {} },
  { file: "cifar10-resnet8-nhwc.onnx", dims: {} },
  // Its LSTM kernels approximate the sigmoid.
  { file: "silero-vad.onnx", dims: { input: [1, 512] }, within: 1e-4 },
  { file: "bert-toy.onnx", dims: {} },
];

describeShared("the reference agrees with the runtime on real models", () => {
  it.each(realModels)("$file", async ({ file, dims, within = 1e-5 }) => {
    const subject = decodeModel(readFileSync(sharedPath(`models/${file}`)));
    const given = new Map<string, readonly number[]>(Object.entries(dims));
    const feeds = new Map<string, Tensor>();
    for (const input of subject.graph.inputs) {
      if (subject.graph.initializers.has(input) || input.type?.kind !== "tensor") continue;
      const { dtype } = input.type;
      const shape = given.get(input.name) ?? input.type.dims!.map((dim) => (typeof dim === "number" ? dim : 1));
      const values = dtype === "int64" ? waves(shape).map(() => (input.name === "sr" ? 16000 : 1)) : waves(shape);
      feeds.set(input.name, tensorFromNumbers(dtype, shape, values));
    }
    for (const difference of await differences(subject, feeds)) expect(difference).toBeLessThan(within);
  });
});

type Input = readonly [dtype: DataType, dims: readonly number[], values?: readonly number[]];

interface KernelCase {
  readonly op: string;
  /** Omitted inputs are `undefined`; without values, waves (quantized types: bytes without a pattern). */
  readonly inputs: readonly (Input | undefined)[];
  readonly attributes?: BuilderAttributes;
  readonly outputs?: number;
  readonly domain?: string;
  readonly opset?: number;
  /** Largest difference as a part of the largest value. */
  readonly within?: number;
}

const f = (...dims: number[]): Input => ["float32", dims];
const u8 = (...dims: number[]): Input => ["uint8", dims];
const scale = (value: number): Input => ["float32", [], [value]];
const zero = (value: number): Input => ["uint8", [], [value]];
const quantizedPair = [u8(2, 3), scale(0.02), zero(120), u8(2, 3), scale(0.03), zero(130), scale(0.04), zero(100)];
const image = [u8(1, 2, 4, 4), scale(0.02), zero(120), scale(0.03), zero(110)];
const heads = { num_heads: 2 };

/** Rows, scores of five experts, weights and biases of their two layers. */
const experts = [f(4, 3), f(4, 5), f(5, 7, 3), f(5, 7), f(5, 3, 7), f(5, 3)];

const cases: readonly KernelCase[] = [
  ...["relu", "gelu", "silu", "identity"].map((activation_type) => ({
    op: "MoE",
    inputs: experts,
    attributes: { k: 2, activation_type },
  })),
  { op: "MoE", inputs: experts, attributes: { k: 3, activation_type: "relu", normalize_routing_weights: 1 } },
  { op: "MoE", inputs: [...experts.slice(0, 3), undefined, experts[4]], attributes: { activation_type: "relu" } },
  { op: "FusedMatMul", inputs: [f(2, 4, 3), f(2, 4, 5)], attributes: { transA: 1, alpha: float(0.5) } },
  { op: "FusedConv", inputs: [f(1, 2, 5, 5), f(3, 2, 3, 3), f(3)], attributes: { activation: "Relu" } },
  { op: "FusedGemm", inputs: [f(2, 3), f(4, 3), f(4)], attributes: { transB: 1, activation: "Sigmoid" } },
  {
    op: "MatMulNBits",
    inputs: [f(2, 64), u8(3, 2, 16), f(6)],
    attributes: { K: 64, N: 3, bits: 4, block_size: 32 },
  },
  {
    op: "MatMulNBits",
    inputs: [f(2, 48), u8(3, 3, 8), f(9), u8(6)],
    attributes: { K: 48, N: 3, bits: 4, block_size: 16 },
  },
  { op: "MatMulNBits", inputs: [f(2, 64), u8(3, 2, 32), f(6)], attributes: { K: 64, N: 3, bits: 8, block_size: 32 } },
  { op: "Gelu", inputs: [f(2, 5)] },
  { op: "BiasGelu", inputs: [f(2, 5), f(5)] },
  { op: "FastGelu", inputs: [f(2, 5), f(5)] },
  { op: "QuickGelu", inputs: [f(2, 5)] },
  { op: "SkipLayerNormalization", inputs: [f(1, 2, 8), f(1, 2, 8), f(8), f(8), f(8)] },
  { op: "SkipSimplifiedLayerNormalization", inputs: [f(1, 2, 8), f(1, 2, 8), f(8)] },
  { op: "SimplifiedLayerNormalization", domain: "", inputs: [f(2, 8), f(8)] },
  { op: "MultiHeadAttention", inputs: [f(2, 3, 8), f(2, 5, 8), f(2, 5, 8)], attributes: heads },
  {
    op: "MultiHeadAttention",
    inputs: [f(1, 3, 8), f(1, 3, 8), f(1, 3, 8), f(24)],
    attributes: { ...heads, unidirectional: 1 },
  },
  { op: "Attention", inputs: [f(2, 3, 8), f(8, 24), f(24)], attributes: heads },
  {
    op: "RotaryEmbedding",
    inputs: [f(1, 3, 8), ["int64", [1, 3], [0, 1, 2]], f(4, 2), f(4, 2)],
    attributes: { num_heads: 2, rotary_embedding_dim: 4 },
  },
  { op: "QuantizeLinear", inputs: [f(2, 3), scale(0.02), zero(120)] },
  { op: "DequantizeLinear", inputs: [u8(2, 3), scale(0.02), zero(120)] },
  { op: "QLinearAdd", inputs: quantizedPair },
  { op: "QLinearMul", inputs: quantizedPair },
  { op: "QLinearSigmoid", inputs: [u8(2, 3), scale(0.02), zero(120), scale(0.004), zero(0)] },
  { op: "QLinearLeakyRelu", inputs: [u8(2, 3), scale(0.02), zero(120), scale(0.02), zero(110)] },
  // One step of the result's scale: the runtime rounds the sum in another order.
  { op: "QLinearAveragePool", inputs: image, attributes: { kernel_shape: [2, 2] }, within: 0.01 },
  { op: "QLinearGlobalAveragePool", inputs: image },
  { op: "QLinearGlobalAveragePool", inputs: image, attributes: { channels_last: 1 } },
  {
    op: "QLinearSoftmax",
    inputs: [u8(2, 6), scale(0.02), zero(120), scale(1 / 256), zero(0)],
    attributes: { axis: 1, opset: 13 },
  },
  {
    op: "QLinearConcat",
    inputs: [scale(0.04), zero(100), u8(2, 3), scale(0.02), zero(120), u8(2, 2), scale(0.03), zero(130)],
    attributes: { axis: 1 },
  },
  {
    op: "QGemm",
    inputs: [
      u8(2, 4),
      scale(0.02),
      zero(120),
      u8(4, 3),
      scale(0.03),
      zero(130),
      ["int32", [3], [10, -5, 0]],
      scale(0.1),
      zero(90),
    ],
  },
  { op: "MatMulIntegerToFloat", inputs: [u8(2, 4), u8(4, 3), scale(0.02), scale(0.03), zero(120), zero(130), f(3)] },
  { op: "DynamicQuantizeMatMul", inputs: [f(2, 4), u8(4, 3), scale(0.03), zero(130), f(3)] },
  { op: "Affine", domain: "", opset: 7, inputs: [f(2, 3)], attributes: { alpha: float(2), beta: float(-1) } },
  {
    op: "ImageScaler",
    domain: "",
    opset: 7,
    inputs: [f(1, 2, 3, 3)],
    attributes: { scale: float(0.5), bias: floats([1, -2]) },
  },
  { op: "Crop", domain: "", opset: 7, inputs: [f(1, 2, 6, 7)], attributes: { border: [1, 2, 3, 1] } },
];

function tensorOf([dtype, dims, values]: Input, index: number): Tensor {
  if (values) return tensor(dtype, dims, values);
  const kind = waves(dims, index);
  if (dtype === "uint8")
    return tensor(
      dtype,
      dims,
      kind.map((value) => Math.round(127.5 + 127.5 * value)),
    );
  return tensor(dtype, dims, kind);
}

/** The first input is fed, the others are initializers, as in real models. */
function modelOf({
  op,
  inputs,
  attributes,
  outputs = 1,
  domain = "com.microsoft",
  opset = 21,
}: KernelCase): [Model, Feeds] {
  const g = graphBuilder();
  const feeds = new Map<string, Tensor>();
  const fed = inputs.findIndex((input) => input !== undefined && input[2] === undefined);
  const values = inputs.map((input, i) => {
    if (!input) return undefined;
    const data = tensorOf(input, i);
    if (i !== fed) return g.constant(`c${i}`, data);
    feeds.set("x", data);
    return g.input("x", input[0], input[1]);
  });
  g.unchecked(qualifiedName({ opType: op, domain }), values, outputs, attributes, { name: "y" }).forEach((value) => {
    g.output(value);
  });
  const opsets = new Map([
    ["", opset],
    ["com.microsoft", 1],
  ]);
  return [model(g.build(), { opsets }), feeds];
}

describe("kernels beyond ONNX's cases agree with the runtime", () => {
  it.each(cases.map((subject, i) => [`${subject.op} ${i}`, subject] as const))("%s", async (_, subject) => {
    const [built, feeds] = modelOf(subject);
    for (const difference of await differences(built, feeds)) expect(difference).toBeLessThan(subject.within ?? 1e-5);
  });

  it("leaves no com.microsoft kernel out", () => {
    const aliases = new Set(["com.microsoft::TransposeMatMul"]);
    const covered = new Set(cases.map(({ op, domain = "com.microsoft" }) => `${domain}::${op}`));
    const own = [...kernels.keys()].filter((name) => name.startsWith("com.microsoft::") && !aliases.has(name));
    expect(own.filter((name) => !covered.has(name))).toEqual([]);
  });
});
