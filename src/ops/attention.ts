/** @file Attention: Q `[B, heads, S, D]`, K `[B, kvHeads, L, D]`, V `[B, kvHeads, L, E]`, or with the heads packed into the last axis. */
import { exactly } from "../checked.ts";
import { type Dim, type Dims, intOf, intsOf, UNKNOWN_DIM, type ValueType } from "../ir/index.ts";
import { end, mixed, same } from "./axes.ts";
import { addCosts, costPerInput, macCost } from "./cost.ts";
import { asTensor, dimsOf, dtypeOf, equalDim, mapDim, productDims, sumDims, typed } from "./dims.ts";
import { sameType } from "./elementwise.ts";
import type { AxisRule, Cost, InferContext, InferRule, NodeFacts, OpSpec } from "./spec.ts";

interface Shape {
  readonly batch: Dim;
  readonly heads: Dim;
  readonly kvHeads: Dim;
  readonly queries: Dim;
  /** Keys with those of the past. */
  readonly keys: Dim;
  readonly size: Dim;
  readonly valueSize: Dim;
}

interface Unpacked {
  readonly batch: Dim;
  readonly heads: Dim;
  readonly length: Dim;
  readonly size: Dim;
}

function per(dim: Dim, heads: Dim): Dim {
  return typeof heads === "number" && heads > 0 ? mapDim(dim, (length) => length / heads) : UNKNOWN_DIM;
}

/** One of Q, K, V, whether its heads are an axis of their own or packed. */
function unpacked(dims: Dims | undefined, heads: Dim): Unpacked {
  if (dims?.length === 4) {
    const [batch, own, length, size] = exactly(dims, 4);
    return { batch, heads: own, length, size };
  }
  const [batch = UNKNOWN_DIM, length = UNKNOWN_DIM, width = UNKNOWN_DIM] = dims ?? [];
  return { batch, heads, length, size: per(width, heads) };
}

function attentionShape(facts: NodeFacts, past = 4): Shape {
  const heads = intOf(facts.node, "q_num_heads") ?? UNKNOWN_DIM;
  const kvHeads = intOf(facts.node, "kv_num_heads") ?? heads;
  const q = unpacked(dimsOf(facts, 0), heads);
  const k = unpacked(dimsOf(facts, 1), kvHeads);
  const v = unpacked(dimsOf(facts, 2), kvHeads);
  const before = facts.node.inputs[past] ? (dimsOf(facts, past)?.[2] ?? UNKNOWN_DIM) : 0;
  return {
    batch: equalDim(q.batch, k.batch),
    heads: q.heads,
    kvHeads: k.heads,
    queries: q.length,
    keys: sumDims([before, k.length]),
    size: equalDim(q.size, k.size),
    valueSize: v.size,
  };
}

/** Y in the form of Q, then the keys and values with their past, then the scores. */
const inferAttention: InferRule = (context) => {
  const { batch, heads, kvHeads, queries, keys, size, valueSize } = attentionShape(context);
  const rank = dimsOf(context, 0)?.length;
  const packed: Dims = [batch, queries, productDims([heads, valueSize])];
  const separate: Dims = [batch, heads, queries, valueSize];
  const [q, k, v] = [0, 1, 2].map((i) => dtypeOf(context, i));
  return [
    typed(q, rank === undefined ? undefined : rank === 3 ? packed : separate),
    typed(k, [batch, kvHeads, keys, size]),
    typed(v, [batch, kvHeads, keys, valueSize]),
    typed(q, [batch, heads, queries, keys]),
  ];
};

/** Scores and their product with the values. */
function attentionCost({ batch, heads, queries, keys, size, valueSize }: Shape): Cost | undefined {
  return addCosts(macCost(batch, heads, queries, keys, size), macCost(batch, heads, queries, keys, valueSize));
}

/** The batch. Heads are shared between queries and keys in groups, so they stay unlinked. */
const batchAxes: AxisRule = (node) => {
  const inputs = [...node.node.inputs.keys()].filter((port) => carriesBatch(node, port));
  return [
    same(
      inputs.map((port) => end(port, 0)),
      node.node.outputs.map((_, port) => end(port, 0)),
    ),
  ];
};

/** Q, K, V and whatever else starts with the batch; masks that are spread over it do not. */
function carriesBatch(facts: NodeFacts, port: number): boolean {
  const dims = dimsOf(facts, port);
  const batch = dimsOf(facts, 0)?.[0];
  if (port < 3 || !dims || batch === undefined) return port < 3;
  const whole = port === 3 ? 4 : 1;
  return dims.length >= whole && dims[0] !== 1 && (dims.length > 3 || dims[0] === batch);
}

/** Batch and positions of X go with the ids' or, without ids, with the tables'; the last axis turns in pairs. */
function rotaryAxes(ids: number, tables: readonly number[]): AxisRule {
  return (node) => {
    const dims = dimsOf(node, 0);
    if (!dims) return undefined;
    const follow = [ids, ...tables].filter((port) => dimsOf(node, port)?.length === (port === ids ? 2 : 3));
    const along = (axis: number) => follow.map((port) => end(port, axis));
    const time = dims.length === 4 ? 2 : 1;
    return dims.map((_, axis) => {
      if (axis === dims.length - 1) return mixed(end(0, axis), end(0, axis));
      const others = axis === 0 ? along(0) : axis === time ? along(1) : [];
      return same([end(0, axis), ...others], end(0, axis));
    });
  };
}

/** Q, K, V `[B, T, heads × size]` and a state `[B, kvHeads, D, E]`. */
const inferLinear: InferRule = (context) => {
  const { batch, heads, kvHeads, queries, size, valueSize } = attentionShape(context, -1);
  const dtype = dtypeOf(context, 0);
  const state = asTensor(context.input(3)) ?? typed(dtype, [batch, kvHeads, size, valueSize]);
  return [typed(dtype, [batch, queries, productDims([heads, valueSize])]), state];
};

/** Per token and key-value head: the state takes in one outer product and is read by each of its query heads. */
function linearCost(facts: NodeFacts): Cost | undefined {
  const { batch, heads, kvHeads, queries, size, valueSize } = attentionShape(facts, -1);
  return addCosts(macCost(batch, queries, heads, size, valueSize), macCost(batch, queries, kvHeads, size, valueSize));
}

/** com.microsoft `Attention`: X `[B, S, I]` and one weight `[I, 3 × hidden]` for Q, K and V. */
const inferPackedAttention: InferRule = (context) => {
  const [batch = UNKNOWN_DIM, length = UNKNOWN_DIM] = dimsOf(context, 0) ?? [];
  const sizes = intsOf(context.node, "qkv_hidden_sizes");
  const hidden = sizes?.[2] ?? mapDim(dimsOf(context, 1)?.[1] ?? UNKNOWN_DIM, (width) => width / 3);
  const heads = intOf(context.node, "num_heads") ?? UNKNOWN_DIM;
  const before = context.node.inputs[4] ? (dimsOf(context, 4)?.[3] ?? UNKNOWN_DIM) : 0;
  const dtype = dtypeOf(context, 0);
  return [
    typed(dtype, [batch, length, hidden]),
    typed(dtype, [2, batch, heads, sumDims([before, length]), per(hidden, heads)]),
  ];
};

function packedAttentionCost(facts: NodeFacts): Cost | undefined {
  const [batch, length, inputs] = dimsOf(facts, 0) ?? [];
  const width = dimsOf(facts, 1)?.[1];
  const before = facts.node.inputs[4] ? (dimsOf(facts, 4)?.[3] ?? UNKNOWN_DIM) : 0;
  const keys = length === undefined ? UNKNOWN_DIM : sumDims([before, length]);
  const sizes = intsOf(facts.node, "qkv_hidden_sizes") ?? [];
  const third = typeof width === "number" ? width / 3 : UNKNOWN_DIM;
  return addCosts(
    macCost(batch, length, inputs, width),
    macCost(batch, length, keys, sizes[0] ?? third),
    macCost(batch, length, keys, sizes[2] ?? third),
  );
}

/** com.microsoft `MultiHeadAttention`: Q, K, V `[B, S, heads × size]`; K and V may come with heads apart. */
function multiHeadShape(facts: NodeFacts, past: number): Shape | undefined {
  const q = dimsOf(facts, 0);
  if (q?.length !== 3 || !dimsOf(facts, 1) || !dimsOf(facts, 2)) return undefined;
  const heads = intOf(facts.node, "num_heads") ?? UNKNOWN_DIM;
  const kvHeads = intOf(facts.node, "kv_num_heads") ?? heads;
  const [query, key, value] = [
    unpacked(q, heads),
    unpacked(dimsOf(facts, 1), kvHeads),
    unpacked(dimsOf(facts, 2), kvHeads),
  ];
  const before = facts.node.inputs[past] ? (dimsOf(facts, past)?.[2] ?? UNKNOWN_DIM) : 0;
  return {
    batch: query.batch,
    heads,
    kvHeads,
    queries: query.length,
    keys: sumDims([before, key.length]),
    size: query.size,
    valueSize: value.size,
  };
}

function inferMultiHead(context: InferContext, past: number): readonly (ValueType | undefined)[] {
  const shape = multiHeadShape(context, past);
  const dtype = dtypeOf(context, 0);
  if (!shape) return [typed(dtype)];
  const { batch, heads, kvHeads, queries, keys, size, valueSize } = shape;
  return [
    typed(dtype, [batch, queries, productDims([heads, valueSize])]),
    typed(dtypeOf(context, past) ?? dtype, [batch, kvHeads, keys, size]),
    typed(dtypeOf(context, past + 1) ?? dtype, [batch, kvHeads, keys, valueSize]),
  ];
}

/** The cache of `GroupQueryAttention` may be longer than what it holds, so its length is not inferred. */
const inferGrouped: InferRule = (context) => {
  const [output, ...caches] = inferMultiHead(context, 3);
  const q = dimsOf(context, 0);
  const heads = intOf(context.node, "num_heads", 0);
  const groups = intOf(context.node, "kv_num_heads", 0);
  const packed = !context.node.inputs[1] && q?.length === 3 && heads > 0;
  const width = packed ? mapDim(q[2]!, (length) => (length / (heads + 2 * groups)) * heads) : UNKNOWN_DIM;
  const own = packed ? typed(dtypeOf(context, 0), [q[0]!, q[1]!, width]) : output;
  return [
    own,
    ...caches.map((type) => {
      const tensor = asTensor(type);
      return tensor?.dims?.length === 4 ? typed(tensor.dtype, tensor.dims.with(2, UNKNOWN_DIM)) : type;
    }),
  ];
};

const multiHeadCost =
  (past: number) =>
  (node: NodeFacts): Cost | undefined => {
    const shape = multiHeadShape(node, past);
    return shape && attentionCost(shape);
  };

const rounding = { exactness: "rounding" } as const;

export const attentionOps = {
  Attention: {
    since: [23, 24, 25],
    infer: inferAttention,
    axes: batchAxes,
    cost: (node) => attentionCost(attentionShape(node)),
    ...rounding,
  },
  "ai.onnx.preview::FlexAttention": {
    since: [1],
    infer: (context) => inferAttention(context).slice(0, 1),
    axes: batchAxes,
    cost: (node) => attentionCost(attentionShape(node, -1)),
    ...rounding,
  },
  LinearAttention: { since: [27], infer: inferLinear, axes: batchAxes, cost: linearCost, ...rounding },
  RotaryEmbedding: {
    since: [23],
    infer: sameType,
    axes: rotaryAxes(3, [1, 2]),
    cost: costPerInput,
    ...rounding,
  },
  "com.microsoft::RotaryEmbedding": {
    since: [1],
    infer: sameType,
    axes: rotaryAxes(1, []),
    cost: costPerInput,
    ...rounding,
  },
  "com.microsoft::Attention": {
    since: [1],
    infer: inferPackedAttention,
    axes: () => [same(end(0, 0), end(0, 0))],
    cost: packedAttentionCost,
    ...rounding,
  },
  "com.microsoft::MultiHeadAttention": {
    since: [1],
    infer: (context) => inferMultiHead(context, 6),
    axes: batchAxes,
    cost: multiHeadCost(6),
    ...rounding,
  },
  "com.microsoft::GroupQueryAttention": {
    since: [1],
    infer: inferGrouped,
    axes: batchAxes,
    cost: multiHeadCost(3),
    ...rounding,
  },
} satisfies Record<string, OpSpec>;
