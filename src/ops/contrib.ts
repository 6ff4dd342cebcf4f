/** @file Operators of `com.microsoft` that ONNX Runtime fuses into or quantizes with. */
import { type DataType, type Dim, type Dims, elementCount, intOf, type Node, UNKNOWN_DIM } from "../ir/index.ts";
import { broadcastAxes, end, mixed, same, throughAxes } from "./axes.ts";
import { costPerInput, costPerOutput, macCost, noCost, unknownCost } from "./cost.ts";
import { asTensor, axisIn, broadcastDims, dimsOf, dtypeOf, equalDim, mapDim, sumDims, typed } from "./dims.ts";
import { pointwise, sameType } from "./elementwise.ts";
import { matrixProduct } from "./matmul.ts";
import { globalPool, pool } from "./pool.ts";
import { quantizedLstm } from "./recurrent.ts";
import type { AxisEnd, AxisRule, InferRule, NodeFacts, OpSpec } from "./spec.ts";

const rounding = { exactness: "rounding" } as const;

/** A binary operator on codes: A, its scale and zero point, B, its, then those of the result. */
const quantizedBinary: OpSpec = {
  since: [1],
  infer: (context) => [typed(dtypeOf(context, 0), broadcastDims([dimsOf(context, 0), dimsOf(context, 3)]))],
  axes: (node) => quantizedLinks(node),
  cost: costPerOutput,
  weights: { quantized: [0, 3], settings: [1, 2, 4, 5, 6, 7] },
  ...rounding,
};

/** As of a broadcast of inputs 0 and 3 alone; the scales are scalars. */
const quantizedLinks: AxisRule = (node) =>
  broadcastAxes()({
    ...node,
    node: { ...node.node, inputs: node.node.inputs.map((value, i) => (i === 0 || i === 3 ? value : undefined)) },
  });

const quantizedSettings = { settings: [1, 2, 3, 4] } as const;
const quantizedUnary: OpSpec = { ...pointwise([1], sameType), weights: quantizedSettings };

/** Scale and zero point of the result, then tensor, scale and zero point of each part. */
function parts({ node }: NodeFacts): number[] {
  return [...node.inputs.keys()].filter((i) => i >= 2 && i % 3 === 2);
}

const inferQuantizedConcat: InferRule = (context) => {
  const ports = parts(context);
  const lists = ports.map((i) => dimsOf(context, i));
  const dtype = dtypeOf(context, ports[0] ?? 2);
  const known = lists.every((dims) => dims !== undefined) ? (lists as readonly Dims[]) : [];
  const [first] = known;
  if (!first) return [typed(dtype)];
  const axis = axisIn(intOf(context.node, "axis", 1), first.length);
  return [
    typed(
      dtype,
      first.map((_, i) => {
        const column = known.map((dims) => dims[i] ?? UNKNOWN_DIM);
        return i === axis ? sumDims(column) : column.reduce((a, b) => equalDim(a, b));
      }),
    ),
  ];
};

const quantizedConcatAxes: AxisRule = (node) => {
  const ports = parts(node);
  const dims = dimsOf(node, ports[0] ?? 2);
  const axis = dims && axisIn(intOf(node.node, "axis", 1), dims.length);
  return dims?.flatMap((_, i) =>
    i === axis
      ? []
      : [
          same(
            ports.map((port) => end(port, i)),
            end(0, i),
          ),
        ],
  );
};

/** Rows of A `[…, K]` against a packed weight whose `K` and `N` are attributes. */
function packedProduct(since: readonly number[], settings: readonly number[]): OpSpec {
  return {
    since,
    infer: (context) => {
      const dims = dimsOf(context, 0);
      return [typed(dtypeOf(context, 0), dims && [...dims.slice(0, -1), intOf(context.node, "N") ?? UNKNOWN_DIM])];
    },
    axes: packedAxes,
    cost: (node) => {
      const rows = dimsOf(node, 0)?.slice(0, -1);
      return rows && macCost(elementCount(rows), intOf(node.node, "K"), intOf(node.node, "N"));
    },
    weights: {
      quantized: [1],
      settings,
      packed: (node, input) => (input === 1 ? intOf(node, "K", 0) * intOf(node, "N", 0) : undefined),
    },
    ...rounding,
  };
}

/** The first axes of the weight and of what goes with it run over the columns of the result; the attribute `N` follows them. */
const packedAxes: AxisRule = (node) => {
  const dims = dimsOf(node, 0);
  if (!dims) return undefined;
  const rows = dims.slice(0, -1).map((_, i) => same(end(0, i), end(0, i)));
  if (dimsOf(node, 1)?.length !== 3) return rows;
  const columns = intOf(node.node, "N", 0);
  const further = [2, 3, 5].flatMap((port) => columnEnd(port, dimsOf(node, port)?.[0], columns));
  return [...rows, same([end(1, 0), ...further], end(0, dims.length - 1))];
};

/** Scales, zero points or biases, several for each column one after another. */
function columnEnd(port: number, length: Dim | undefined, columns: number): AxisEnd[] {
  const each = typeof length === "number" ? length / columns : 0;
  if (!(Number.isInteger(each) && each > 0)) return [];
  return [end(port, 0, each === 1 ? {} : { inner: each })];
}

/** Y like X; then mean, inverse deviation and the sum before the norm. */
const inferSkipNorm: InferRule = (context) => {
  const x = asTensor(context.input(0));
  const statistics = typed(
    "float32",
    x?.dims?.map((dim, i, dims) => (i === dims.length - 1 ? 1 : dim)),
  );
  return [x, statistics, statistics, x];
};

const skipNormAxes: AxisRule = (node) => {
  const dims = dimsOf(node, 0);
  const skip = dimsOf(node, 1);
  if (!dims || !skip) return undefined;
  const last = dims.length - 1;
  return dims.map((_, axis) => {
    const own = axis - dims.length + skip.length;
    const inputs = [end(0, axis), ...(own >= 0 && skip[own] !== 1 ? [end(1, own)] : [])];
    const ports = [0, 3].filter((port) => node.node.outputs[port]).map((port) => end(port, axis));
    if (axis !== last) return same(inputs, ports);
    const vectors = [2, 3, 4].filter((port) => dimsOf(node, port)?.length === 1).map((port) => end(port, 0));
    return mixed([...inputs, ...vectors], ports);
  });
};

const skipNorm: OpSpec = { since: [1], infer: inferSkipNorm, axes: skipNormAxes, cost: costPerInput, ...rounding };

/** Word, position and segment embeddings summed and normalised. */
const inferEmbedNorm: InferRule = (context) => {
  const ids = dimsOf(context, 0);
  const dtype = dtypeOf(context, 2);
  const dims = ids && [...ids, dimsOf(context, 2)?.[1] ?? UNKNOWN_DIM];
  return [typed(dtype, dims), typed("int32", ids?.slice(0, 1)), typed(dtype, dims)];
};

/** Two linear layers (three when gated) of `k` experts per token. */
function expertCost(facts: NodeFacts) {
  const tokens = dimsOf(facts, 0)?.slice(0, -1);
  const weight = dimsOf(facts, 2);
  if (!tokens || weight?.length !== 3) return undefined;
  return macCost(elementCount(tokens), intOf(facts.node, "k", 1), facts.node.inputs[6] ? 3 : 2, weight[1], weight[2]);
}

const rowAxes: AxisRule = (node) =>
  dimsOf(node, 0)
    ?.slice(0, -1)
    .map((_, i) => same(end(0, i), end(0, i)));

/** Rows of a table of codes, dequantized by blocks; uint8 holds `8 / bits` codes. */
const inferGatherBlocks: InferRule = (context) => {
  const data = dimsOf(context, 0);
  const indices = dimsOf(context, 1);
  if (!data || !indices) return [typed(dtypeOf(context, 2))];
  const axis = axisIn(intOf(context.node, "gather_axis", 0), data.length);
  const each = dtypeOf(context, 0) === "uint8" ? 8 / intOf(context.node, "bits", 4) : 1;
  const wide = data.map((dim, i): Dim => (i === data.length - 1 && each !== 1 ? mapDim(dim, (n) => n * each) : dim));
  return [typed(dtypeOf(context, 2), [...wide.slice(0, axis), ...indices, ...wide.slice(axis + 1)])];
};

/** Codes held by one element of a uint8 weight. */
function codesPerByte(node: Node, input: number): number | undefined {
  return input === 0 && node.inputs[0]?.type?.kind === "tensor" && node.inputs[0].type.dtype === "uint8"
    ? (elementCount(node.inputs[0].type.dims ?? []) ?? 0) * (8 / intOf(node, "bits", 4))
    : undefined;
}

const resultType = (facts: NodeFacts): DataType | undefined => dtypeOf(facts, 8) ?? "float32";

export const contribOps = {
  "com.microsoft::BiasGelu": { ...pointwise([1], sameType), axes: biasAxes() },
  "com.microsoft::FastGelu": { ...pointwise([1], sameType), axes: biasAxes() },
  "com.microsoft::Gelu": pointwise([1], sameType),
  "com.microsoft::QuickGelu": pointwise([1], sameType),
  "com.microsoft::SkipLayerNormalization": skipNorm,
  "com.microsoft::SkipSimplifiedLayerNormalization": skipNorm,
  "com.microsoft::EmbedLayerNormalization": {
    since: [1],
    infer: inferEmbedNorm,
    axes: () => [same(end(0, 0), [end(0, 0)]), same(end(0, 1), end(0, 1))],
    cost: costPerOutput,
    ...rounding,
  },
  "com.microsoft::DynamicQuantizeLSTM": quantizedLstm,
  "com.microsoft::MatMulNBits": packedProduct([1], [2, 3, 4]),
  "com.microsoft::MatMulBnb4": packedProduct([1], [2]),
  "com.microsoft::QGemm": {
    ...matrixProduct([1], { a: 0, b: 3, perColumn: [4, 5, 6] }, resultType),
    weights: { quantized: [0, 3, 6], settings: [1, 2, 4, 5, 7, 8] },
  },
  "com.microsoft::MoE": { since: [1], infer: sameType, axes: rowAxes, cost: expertCost, ...rounding },
  "com.microsoft::QMoE": {
    since: [1],
    infer: sameType,
    axes: rowAxes,
    cost: unknownCost,
    weights: { quantized: [2, 5, 8], settings: [3, 6, 9] },
    ...rounding,
  },
  "com.microsoft::GatherBlockQuantized": {
    since: [1],
    infer: inferGatherBlocks,
    axes: (node) => dimsOf(node, 1)?.map((_, i) => same(end(1, i), end(0, intOf(node.node, "gather_axis", 0) + i))),
    cost: noCost,
    weights: { quantized: [0], settings: [2, 3], packed: codesPerByte },
    ...rounding,
  },
  "com.microsoft::QLinearAdd": quantizedBinary,
  "com.microsoft::QLinearMul": quantizedBinary,
  "com.microsoft::QLinearSigmoid": quantizedUnary,
  "com.microsoft::QLinearLeakyRelu": quantizedUnary,
  "com.microsoft::QLinearSoftmax": {
    ...quantizedUnary,
    axes: throughAxes((node, rank) => [axisIn(intOf(node.node, "axis", -1), rank)]),
  },
  "com.microsoft::QLinearAveragePool": lastOrFirst(pool([1]), pool([1], { channelsLast: true })),
  "com.microsoft::QLinearGlobalAveragePool": lastOrFirst(globalPool([1]), globalPool([1], "rounding", true)),
  "com.microsoft::QLinearConcat": {
    since: [1],
    infer: inferQuantizedConcat,
    axes: quantizedConcatAxes,
    cost: costPerOutput,
    ...rounding,
  },
  "com.microsoft::BiasSoftmax": {
    since: [1],
    infer: sameType,
    axes: throughAxes((_, rank) => [rank - 1]),
    cost: costPerInput,
    ...rounding,
  },
  "com.microsoft::Trilu": {
    since: [1],
    infer: sameType,
    axes: throughAxes((_, rank) => [rank - 2, rank - 1]),
    cost: noCost,
    exactness: "exact",
  },
} satisfies Record<string, OpSpec>;

/** A vector added along the last axis. */
function biasAxes(): AxisRule {
  return (node) => {
    const dims = dimsOf(node, 0);
    return dims?.map((_, axis) => {
      const bias = axis === dims.length - 1 && dimsOf(node, 1)?.length === 1 ? [end(1, 0)] : [];
      return same([end(0, axis), ...bias], end(0, axis));
    });
  };
}

/** The entry that the attribute `channels_last` chooses. */
function lastOrFirst(first: OpSpec, last: OpSpec): OpSpec {
  const chosen = ({ node }: NodeFacts): OpSpec => (intOf(node, "channels_last", 0) === 1 ? last : first);
  return {
    since: [1],
    infer: (context) => chosen(context).infer(context),
    axes: (node) => chosen(node).axes(node),
    cost: first.cost,
    weights: quantizedSettings,
    ...rounding,
  };
}
