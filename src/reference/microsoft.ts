/** @file Float operators of com.microsoft that ONNX Runtime's optimizer and exporters emit. */
import { atLeast, exactly, lastOf, nth } from "../checked.ts";
import { floatOf, floatsAttribute, intOf, stringOf } from "../ir/index.ts";
import { mergeHeads, probabilities, rotated, scoresOf, splitHeads, weigh } from "./attention.ts";
import { convolve } from "./conv.ts";
import { bounded, type Dense, dense, numbers } from "./dense.ts";
import { activations, gelu, geluTanh, mapped, swish, type Unary, zipped } from "./elementwise.ts";
import { concatenated, forEachIndex, normalAxis, sliced } from "./indexing.ts";
import { type Call, inputOf, type Kernel, type Kernels, optionalInput, unsupported } from "./kernel.ts";
import { gemm, matmul, transposedLast } from "./matmul.ts";
import { layerNormalized, rmsNormalized } from "./norm.ts";

const add = (a: number, b: number): number => a + b;

function sum(...parts: readonly (Dense | undefined)[]): Dense {
  return parts.filter((part) => part !== undefined).reduce((a, b) => zipped(a, b, add));
}

/** f(x + bias), the bias being optional. */
function biased(make: (call: Call) => Unary): Kernel {
  return (call) => mapped(sum(inputOf(call, 0), optionalInput(call, 1)), make(call));
}

/** α · op(A) · op(B). */
function fusedMatmul(call: Call): Dense {
  const { node } = call;
  if (intOf(node, "transBatchA", 0) || intOf(node, "transBatchB", 0)) throw unsupported(call, "transBatch");
  const a = intOf(node, "transA", 0) ? transposedLast(inputOf(call, 0)) : inputOf(call, 0);
  const b = intOf(node, "transB", 0) ? transposedLast(inputOf(call, 1)) : inputOf(call, 1);
  const alpha = floatOf(node, "alpha", 1);
  return mapped(matmul(a, b), (value) => alpha * value);
}

/** The activation that a fused operator ends with. */
function fusedActivation(call: Call, parameters: readonly (number | undefined)[]): Unary {
  const name = stringOf(call.node, "activation", "");
  if (name === "") return (value) => value;
  const [first, second] = parameters;
  if (name === "Clip") {
    return (value) => Math.min(second ?? Number.POSITIVE_INFINITY, Math.max(first ?? Number.NEGATIVE_INFINITY, value));
  }
  const make = new Map(Object.entries(activations)).get(name);
  if (!make) throw unsupported(call, `the activation ${JSON.stringify(name)}`);
  return make(first, second);
}

function fusedConv(call: Call): Dense {
  const y = convolve(call, inputOf(call, 0), inputOf(call, 1), optionalInput(call, 2));
  const parameters = floatsAttribute(call.node, "activation_params") ?? [];
  return mapped(sum(y, optionalInput(call, 3)), fusedActivation(call, parameters));
}

function fusedGemm(call: Call): Dense {
  const parameters = [floatOf(call.node, "activation_alpha"), floatOf(call.node, "activation_beta")];
  return mapped(gemm(call), fusedActivation(call, parameters));
}

/** Unsigned numbers of `bits` bits, packed from the low bits of each byte on; each row begins a new byte. */
export function unpacked(bytes: Float64Array, rows: number, columns: number, bits: number): Float64Array {
  const perRow = Math.ceil((columns * bits) / 8);
  const perByte = 8 / bits;
  const result = new Float64Array(bounded(rows * columns));
  forEachIndex([rows, columns], ([row, column], flat) => {
    const byte = bytes[row * perRow + Math.floor(column / perByte)]!;
    result[flat] = (byte >> ((column % perByte) * bits)) & (2 ** bits - 1);
  });
  return result;
}

/** A · Bᵀ with B [N, K] quantized in blocks along K: (q − zeroPoint) · scale, the zero point 2^(bits−1) by default. */
function matmulNBits(call: Call): Dense {
  const { node } = call;
  const [k, n] = [intOf(node, "K", 0), intOf(node, "N", 0)];
  const [bits, block] = [intOf(node, "bits", 4), intOf(node, "block_size", 32)];
  if (call.inputs[4]) throw unsupported(call, "g_idx");
  const blocks = Math.ceil(k / block);
  const codes = unpacked(numbers(inputOf(call, 1)), n, blocks * block, bits);
  const scales = numbers(inputOf(call, 2));
  const zeros = zeroPoints(optionalInput(call, 3), n, blocks, bits);
  const weights = new Float64Array(bounded(k * n));
  forEachIndex([k, n], ([row, column], flat) => {
    const at = column * blocks + Math.floor(row / block);
    weights[flat] = (codes[column * blocks * block + row]! - zeros[at]!) * scales[at]!;
  });
  const a = inputOf(call, 0);
  return sum(matmul(a, dense(a.dtype, [k, n], weights)), optionalInput(call, 5));
}

function zeroPoints(given: Dense | undefined, n: number, blocks: number, bits: number): Float64Array {
  if (!given) return new Float64Array(bounded(n * blocks)).fill(2 ** (bits - 1));
  return given.dtype === "uint8" ? unpacked(numbers(given), n, blocks, bits) : numbers(given);
}

/** The normalization of input + skip (+ bias), and that sum as the fourth output. */
function skipLayerNorm(call: Call): Dense[] {
  const x = sum(inputOf(call, 0), inputOf(call, 1), optionalInput(call, 4));
  const epsilon = floatOf(call.node, "epsilon", 1e-12);
  const results = layerNormalized(x, [x.dims.length - 1], inputOf(call, 2), optionalInput(call, 3), epsilon);
  return [...results, x];
}

function skipRmsNorm(call: Call): (Dense | undefined)[] {
  const x = sum(inputOf(call, 0), inputOf(call, 1), optionalInput(call, 3));
  const epsilon = floatOf(call.node, "epsilon", 1e-12);
  const [y, inverse] = rmsNormalized(x, [x.dims.length - 1], inputOf(call, 2), epsilon);
  return [y, undefined, inverse, x];
}

function simplifiedLayerNorm(call: Call): Dense[] {
  const x = inputOf(call, 0);
  const from = normalAxis(intOf(call.node, "axis", -1), x.dims.length);
  return rmsNormalized(x, [...x.dims.keys()].slice(from), inputOf(call, 1), floatOf(call.node, "epsilon", 1e-5));
}

interface Masking {
  readonly bias: Dense | undefined;
  readonly causal: boolean;
}

function attend(q: Dense, k: Dense, v: Dense, scale: number, { bias, causal }: Masking): Dense {
  const scores = sum(scoresOf(q, k, scale), bias);
  const [queries, keys] = scores.dims.slice(2) as [number, number];
  const hidden = new Float64Array(bounded(queries * keys));
  forEachIndex([queries, keys], ([i, j], flat) => {
    hidden[flat] = causal && j > i + keys - queries ? Number.NEGATIVE_INFINITY : 0;
  });
  return mergeHeads(weigh(probabilities(sum(scores, dense(scores.dtype, [queries, keys], hidden))), v));
}

/** A [batch, keys] mask of ones and zeros as what is added to the scores. */
function paddingBias(call: Call, mask: Dense | undefined): Dense | undefined {
  if (!mask) return undefined;
  if (mask.dims.length !== 2) throw unsupported(call, "this form of the mask");
  const filler = floatOf(call.node, "mask_filter_value", -10000);
  const [batch, keys] = atLeast(mask.dims, 2);
  const values = numbers(mask).map((allowed) => (allowed === 0 ? filler : 0));
  return dense("float32", [batch, 1, 1, keys], values);
}

/** Inputs Q, K, V, bias of all three, key padding mask, attention bias, past key and value. */
function multiHeadAttention(call: Call): Dense[] {
  const { node } = call;
  const heads = intOf(node, "num_heads", 1);
  const biases = optionalInput(call, 3);
  const query = inputOf(call, 0);
  if (query.dims.length !== 3 || !call.inputs[2]) throw unsupported(call, "packed queries, keys and values");
  let offset = 0;
  const projected = [0, 1, 2].map((i) => {
    const x = inputOf(call, i);
    const width = x.dims.length === 3 ? nth(x.dims, 2) : 0;
    const own = biases && width > 0 ? sliced(biases, 0, offset, width) : undefined;
    offset += width;
    return splitHeads(sum(x, own), heads);
  });
  const past = [optionalInput(call, 6), optionalInput(call, 7)];
  const kept = [1, 2].map((i) => {
    const before = past[i - 1];
    return before ? concatenated([before, nth(projected, i)], 2) : nth(projected, i);
  });
  const [q, [k, v]] = [nth(projected, 0), exactly(kept, 2)];
  const scale = floatOf(node, "scale", 0) || 1 / Math.sqrt(nth(q.dims, 3));
  const padding = paddingBias(call, optionalInput(call, 4));
  const extra = optionalInput(call, 5);
  const bias = padding && extra ? sum(padding, extra) : (padding ?? extra);
  return [attend(q, k, v, scale, { bias, causal: intOf(node, "unidirectional", 0) === 1 }), k, v];
}

/** Self-attention with the three projections inside: input, weights [D, 3H], bias, mask. */
function packedAttention(call: Call): Dense {
  const { node } = call;
  if (call.inputs[4]) throw unsupported(call, "a past state");
  const heads = intOf(node, "num_heads", 1);
  const projected = sum(matmul(inputOf(call, 0), inputOf(call, 1)), optionalInput(call, 2));
  const width = nth(projected.dims, 2) / 3;
  const parts = [0, 1, 2].map((i) => splitHeads(sliced(projected, 2, i * width, width), heads));
  const [q, k, v] = exactly(parts, 3);
  const scale = floatOf(node, "scale", 0) || 1 / Math.sqrt(width / heads);
  const padding = paddingBias(call, optionalInput(call, 3));
  const extra = optionalInput(call, 5);
  const bias = padding && extra ? sum(padding, extra) : (padding ?? extra);
  return attend(q, k, v, scale, { bias, causal: intOf(node, "unidirectional", 0) === 1 });
}

function rotary(call: Call): Dense {
  const { node } = call;
  const x = inputOf(call, 0);
  const [cosines, sines] = [inputOf(call, 2), inputOf(call, 3)];
  const width = intOf(node, "rotary_embedding_dim", 0) || 2 * lastOf(cosines.dims);
  const heads = splitHeads(x, intOf(node, "num_heads", 0) || nth(x.dims, 2) / width);
  const turned = rotated(heads, cosines, sines, inputOf(call, 1), {
    width,
    interleaved: intOf(node, "interleaved", 0) === 1,
  });
  return x.dims.length === 3 ? mergeHeads(turned) : turned;
}

const quick: Kernel = (call) => mapped(inputOf(call, 0), swish(floatOf(call.node, "alpha", 1.702)));

export const microsoftFloats = {
  "com.microsoft::FusedMatMul": fusedMatmul,
  "com.microsoft::TransposeMatMul": fusedMatmul,
  "com.microsoft::FusedConv": fusedConv,
  "com.microsoft::FusedGemm": fusedGemm,
  "com.microsoft::MatMulNBits": matmulNBits,
  "com.microsoft::Gelu": biased(() => gelu),
  "com.microsoft::BiasGelu": biased(() => gelu),
  "com.microsoft::FastGelu": biased(() => geluTanh),
  "com.microsoft::QuickGelu": quick,
  "com.microsoft::SkipLayerNormalization": skipLayerNorm,
  "com.microsoft::SkipSimplifiedLayerNormalization": skipRmsNorm,
  SimplifiedLayerNormalization: simplifiedLayerNorm,
  "com.microsoft::MultiHeadAttention": multiHeadAttention,
  "com.microsoft::Attention": packedAttention,
  "com.microsoft::RotaryEmbedding": rotary,
} satisfies Kernels;
