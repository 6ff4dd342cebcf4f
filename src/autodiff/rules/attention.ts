/** @file Attention operators, as the products that they are made of. */
import { UnsupportedError } from "../../errors.ts";
import { describeNode, floatOf, intOf, intsOf, type Node, type Value } from "../../ir/index.ts";
import { attend, joinHeads, lengthOf, splitHeads } from "../attend.ts";
import { type Expansion, expand, type GradientEntry, refuse } from "../rule.ts";

function unless(node: Node, isUnusual: boolean, what: string): void {
  if (isUnusual) {
    throw new UnsupportedError(`${node.opType} has no gradient with ${what}`, { where: describeNode(node) });
  }
}

/** Of ai.onnx: 4-D operands, or 3-D ones whose heads are folded into the last axis. */
const attention: Expansion = (g, node) => {
  const [q, k, v, mask, pastKey, pastValue, lengths] = node.inputs;
  if (!q || !k || !v) return [];
  const isCausal = intOf(node, "is_causal", 0) === 1;
  const softcap = floatOf(node, "softcap", 0);
  unless(node, Boolean(pastKey ?? pastValue ?? lengths), "a cache");
  unless(node, softcap !== 0 && (mask !== undefined || isCausal), "both softcap and a mask");
  const isFolded = g.rank(q) === 3;
  const heads = (x: Value, name: string): Value => (isFolded ? splitHeads(g, x, intOf(node, name, 1)) : x);
  const keys = heads(k, "kv_num_heads");
  const values = heads(v, "kv_num_heads");
  const options = { scale: floatOf(node, "scale"), mask, isCausal, softcap };
  const y = attend(g, heads(q, "q_num_heads"), keys, values, options);
  return [isFolded ? joinHeads(g, y) : y, keys, values];
};

/** Of com.microsoft: separate 3-D projections, with an optional bias of all three. */
const multiHead: Expansion = (g, node) => {
  const [q, k, v, bias, padding, scores, pastKey, pastValue] = node.inputs;
  unless(node, !q || !k || !v || g.rank(q) !== 3 || g.rank(k) !== 3, "packed operands");
  unless(node, Boolean(padding ?? pastKey ?? pastValue), "a padding mask or a cache");
  const heads = intOf(node, "num_heads", 1);
  const widths = [q!, k!, v!].map((x) => lengthOf(g, x, 2));
  const biases = bias ? g.ops("Split", [bias, g.ints(widths)], 3, { axis: 0 }) : [];
  const [query, key, value] = [q!, k!, v!].map((x, i) => splitHeads(g, biases[i] ? g.add(x, biases[i]) : x, heads));
  const isCausal = intOf(node, "unidirectional", 0) === 1;
  const options = { scale: floatOf(node, "scale", 0) || undefined, mask: scores, isCausal };
  return [joinHeads(g, attend(g, query!, key!, value!, options))];
};

/** Of com.microsoft: one projection makes queries, keys and values. */
const selfAttention: Expansion = (g, node) => {
  const [x, weights, bias, mask, past, scores] = node.inputs;
  if (!x || !weights) return [];
  unless(node, Boolean(mask ?? past), "a padding mask or a cache");
  const heads = intOf(node, "num_heads", 1);
  const product = g.matmul(x, weights);
  const projected = bias ? g.add(product, bias) : product;
  const width = lengthOf(g, projected, 2);
  const sizes = intsOf(node, "qkv_hidden_sizes") ?? [width / 3, width / 3, width / 3];
  const [q, k, v] = g
    .ops("Split", [projected, g.ints(sizes)], 3, { axis: 2 })
    .map((part) => splitHeads(g, part, heads));
  const isCausal = intOf(node, "unidirectional", 0) === 1;
  const options = { scale: floatOf(node, "scale", 0) || undefined, mask: scores, isCausal };
  return [joinHeads(g, attend(g, q!, k!, v!, options))];
};

/**
 * y = [x₁·cos − x₂·sin, x₁·sin + x₂·cos] over the first `rotary_embedding_dim` elements of each head, whose pairs are halves
 * of it or neighbours.
 */
const rotary: Expansion = (g, node) => {
  const [x, cos, sin, positions] = node.inputs;
  if (!x || !cos || !sin) return [];
  const isFolded = g.rank(x) === 3;
  const split = isFolded ? splitHeads(g, x, intOf(node, "num_heads", 1)) : x;
  const size = lengthOf(g, split, 3);
  const part = intOf(node, "rotary_embedding_dim", 0) || size;
  const [turned, rest] = part === size ? [split] : g.ops("Split", [split, g.ints([part, size - part])], 2, { axis: 3 });
  const isPaired = intOf(node, "interleaved", 0) !== 0;
  const pairs = isPaired ? g.op("Reshape", [turned, g.ints([0, 0, 0, part / 2, 2])]) : turned;
  const halves = g.ops("Split", [pairs, g.ints(isPaired ? [1, 1] : [part / 2, part / 2])], 2, {
    axis: isPaired ? 4 : 3,
  });
  const table = (values: Value): Value => {
    const wide = g.unsqueeze(positions ? g.op("Gather", [values, positions]) : values, [1]);
    return isPaired ? g.unsqueeze(wide, [4]) : wide;
  };
  const [c, s] = [table(cos), table(sin)];
  const real = g.sub(g.mul(halves[0], c), g.mul(halves[1], s));
  const imaginary = g.add(g.mul(halves[0], s), g.mul(halves[1], c));
  const joined = g.concat([real, imaginary], isPaired ? 4 : 3);
  const back = isPaired ? g.op("Reshape", [joined, g.ints([0, 0, 0, part])]) : joined;
  const y = rest ? g.concat([back, rest], 3) : back;
  return [isFolded ? joinHeads(g, y) : y];
};

const cached = refuse("it keeps a cache, for inference step by step");

export const attentions = {
  Attention: expand(attention),
  RotaryEmbedding: expand(rotary),
  LinearAttention: cached,
  "ai.onnx.preview::FlexAttention": refuse("its scores are changed by a subgraph; use Attention"),
  "com.microsoft::Attention": expand(selfAttention),
  "com.microsoft::MultiHeadAttention": expand(multiHead),
  "com.microsoft::GroupQueryAttention": cached,
  "com.microsoft::RotaryEmbedding": refuse("its position formats differ; use the RotaryEmbedding of ai.onnx"),
} satisfies Record<string, GradientEntry>;
