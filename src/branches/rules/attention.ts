/** @file Attention of com.microsoft: the heads of the branches one after another, as of one operator with n times the heads. */
import { atLeast, nth } from "../../checked.ts";
import { type Dims, intOf, intsOf, type Node, type Value } from "../../ir/index.ts";
import { type Declined, declined } from "../../rewrite/index.ts";
import { type Operand, stacked } from "../operand.ts";
import type { Fusion, FusionRule, Operands } from "../rule.ts";
import { added, attributesOf } from "./elementwise.ts";
import { batched } from "./matmul.ts";

const MULTI_HEAD = "com.microsoft::MultiHeadAttention";
const GROUPED = "com.microsoft::GroupQueryAttention";
const PACKED = "com.microsoft::Attention";

interface Masking {
  readonly mask: Value | undefined;
  readonly scores: Value | undefined;
}

/** The padding mask, [batch, …], and what is added to the scores, [batch or 1, heads or 1, queries, keys], for all heads. */
function maskingOf(f: Fusion, node: Node, mask: Operand | undefined, scores: Operand | undefined): Masking | Declined {
  if (mask && mask.kind !== "common") return declined("a padding mask that differs between branches");
  const heads = scores && f.dimsOf(scores)[1];
  if (!scores || (scores.kind === "common" && heads === 1)) {
    return { mask: mask?.value, scores: scores?.kind === "common" ? scores.value : undefined };
  }
  if (heads !== intOf(node, "num_heads", 1)) return declined("scores that cannot be laid side by side");
  return { mask: mask?.value, scores: f.merged(scores, 1) };
}

/** [n, Σ sizes] at `axis` of a value as [Σ n·sizes]: the first part of every branch, then the second of every branch, … */
function byPart(f: Fusion, value: Value, axis: number, sizes: readonly number[]): Value {
  const dims = f.dims(value);
  const parts = f.ops("Split", [value, f.ints(sizes)], sizes.length, { axis: axis + 1 });
  const flat = parts.map((part, i) => f.reshape(part, dims.toSpliced(axis, 2, f.count * nth(sizes, i))));
  return f.op("Concat", flat, { axis });
}

interface Inputs {
  readonly projections: readonly Value[];
  readonly bias?: Value | undefined;
  readonly masking: Masking;
  readonly past?: readonly (Value | undefined)[];
}

const kept = ["mask_filter_value", "scale", "unidirectional"];

function multiHead(f: Fusion, node: Node, { projections, bias, masking, past = [] }: Inputs): Operand[] {
  const attributes = Object.fromEntries([...node.attributes].filter(([name]) => kept.includes(name)));
  const inputs = trimmed([...projections, bias, masking.mask, masking.scores, ...past]);
  const num_heads = intOf(node, "num_heads", 1) * f.count;
  const results = f.ops(MULTI_HEAD, inputs, node.outputs.length, { ...attributes, num_heads });
  return apart(f, node, results, (output) => (output === 0 ? 2 : 1));
}

function trimmed(inputs: readonly (Value | undefined)[]): readonly (Value | undefined)[] {
  return inputs.slice(0, inputs.findLastIndex((value) => value !== undefined) + 1);
}

/** Results with the branches one after another on the axis that holds the heads. */
function apart(f: Fusion, node: Node, results: readonly Value[], axisOf: (output: number) => number): Operand[] {
  return results.map((value, k) => {
    const own = node.outputs[k];
    return own ? f.split(value, f.dims(own), axisOf(k)) : stacked(value, 0, 0);
  });
}

/** Q [B, S, heads × size]; K and V alike or with their heads apart. */
const multiHeadAttention: FusionRule = {
  fuse(f, node, [q, k, v, bias, mask, scores, pastKey, pastValue, ...others]) {
    if (!q || !k || !v || q.rank !== 3) return declined("queries, keys and values in one tensor");
    if (others.some((operand) => operand !== undefined)) return declined("a cache of fixed length");
    const masking = maskingOf(f, node, mask, scores);
    if ("declined" in masking) return masking;
    const isApart = k.rank === 4;
    if (bias && isApart) return declined("a bias of keys whose heads are apart");
    const headAxis = isApart ? 1 : 2;
    const projections = [f.merged(q, 2), f.merged(k, headAxis), f.merged(v, headAxis)];
    const sizes = [q, k, v].map((operand) => f.dimsOf(operand)[2]);
    const past = [pastKey, pastValue].map((operand) => operand && f.merged(operand, 1));
    const biases = bias && byPart(f, f.at(bias, 0), 0, sizes as number[]);
    return multiHead(f, node, { projections, bias: biases, masking, past });
  },
};

/** Heads of queries in groups that share keys and values: groups of one branch stay together. */
const groupQueryAttention: FusionRule = {
  fuse(f, node, operands) {
    const [q, k, v, pastKey, pastValue] = operands;
    if (!q || !k || !v) return declined("queries, keys and values in one tensor");
    const settings = Array.from({ length: 5 }, (_, i) => operands[5 + i]);
    if (settings.some((operand) => operand && operand.kind !== "common"))
      return declined("lengths or positions that differ between branches");
    if (operands.slice(11).some((operand) => operand !== undefined)) return declined("sinks of its heads");
    const masking = maskingOf(f, node, undefined, operands[10]);
    if ("declined" in masking) return masking;
    const past = [pastKey, pastValue].map((operand) => operand && f.merged(operand, 1));
    const shared = settings.map((operand) => (operand?.kind === "common" ? operand.value : undefined));
    const inputs = trimmed([...[q, k, v].map((x) => f.merged(x, 2)), ...past, ...shared, masking.scores]);
    const attributes = {
      ...attributesOf(node),
      num_heads: intOf(node, "num_heads", 1) * f.count,
      kv_num_heads: intOf(node, "kv_num_heads", 1) * f.count,
    };
    return apart(f, node, f.ops(GROUPED, inputs, node.outputs.length, attributes), (output) => (output === 0 ? 2 : 1));
  },
};

/** One projection [I, q + k + v] of X [B, S, I]. */
const packedAttention: FusionRule = {
  fuse(f, node, operands) {
    const [x, weights, bias, mask, past, scores, ...others] = operands;
    if (!x || weights?.kind !== "own") return declined("weights that the branches share or compute");
    if (bias && bias.kind !== "own") return declined("a bias that the branches share or compute");
    if (others.some((operand) => operand !== undefined) || intOf(node, "do_rotary", 0) !== 0)
      return declined("a cache of fixed length, or rotated heads");
    const width = Number(f.dimsOf(weights)[1]);
    const sizes = intsOf(node, "qkv_hidden_sizes") ?? [width / 3, width / 3, width / 3];
    const masking = maskingOf(f, node, mask, scores);
    if ("declined" in masking) return masking;
    if (x.kind !== "common") return projected(f, node, operands, sizes, masking);
    const wide = byPart(f, f.at(weights, 1), 1, sizes);
    const shift = bias && byPart(f, f.at(bias, 0), 0, sizes);
    const inputs = trimmed([x.value, wide, shift, masking.mask, past && f.merged(past, 2), masking.scores]);
    const own = intsOf(node, "qkv_hidden_sizes");
    const attributes = {
      ...attributesOf(node),
      num_heads: intOf(node, "num_heads", 1) * f.count,
      ...(own && { qkv_hidden_sizes: own.map((size) => size * f.count) }),
    };
    return apart(f, node, f.ops(PACKED, inputs, node.outputs.length, attributes), () => 2);
  },
};

/** Over inputs that differ, the projection is a product of its own. */
function projected(
  f: Fusion,
  node: Node,
  [x, weights, bias, mask, past]: Operands,
  sizes: readonly number[],
  masking: Masking,
): readonly Operand[] | Declined {
  if (past || node.outputs.length > 1) return declined("a past of its own input");
  if (mask && mask.rank !== 2) return declined("a padding mask of another form than [batch, keys]");
  const [batch, length] = atLeast(f.dimsOf(x!), 2);
  const dims: Dims = [batch, length, sizes.reduce((a, b) => a + b)];
  const product = batched(f, x!, f.at(weights!, 0), dims);
  const whole = bias ? added(f, product, bias) : product;
  const parts = f.ops("Split", [f.at(whole, 0), f.ints(sizes)], 3, { axis: 3 });
  const projections = parts.map((part) => f.merged(stacked(part, 0, 3), 2));
  return multiHead(f, node, { projections, masking });
}

/** X [B, heads, S, size] or [B, S, heads × size]: every head is turned alike. */
const rotaryEmbedding: FusionRule = {
  fuse(f, node, [x, ...tables]) {
    if (!x || tables.some((operand) => operand?.kind !== "common")) return declined("positions that differ");
    const axis = x.rank === 4 ? 1 : 2;
    const values = tables.map((operand) => (operand?.kind === "common" ? operand.value : undefined));
    const heads = intOf(node, "num_heads", 0);
    const attributes = { ...attributesOf(node), ...(heads > 0 && { num_heads: heads * f.count }) };
    const y = f.op("com.microsoft::RotaryEmbedding", [f.merged(x, axis), ...values], attributes);
    return [f.split(y, f.dims(node.outputs[0]), axis)];
  },
};

export const attentionRules = {
  [GROUPED]: groupQueryAttention,
  [PACKED]: packedAttention,
  [MULTI_HEAD]: multiHeadAttention,
  "com.microsoft::RotaryEmbedding": rotaryEmbedding,
} satisfies Record<string, FusionRule>;
