/** @file Scaled dot-product attention, its relatives, and rotary positions. */
import { atLeast, exactly, lastOf, nth } from "../checked.ts";
import { floatOf, graphOf, intOf, sizeOf, stringOf } from "../ir/index.ts";
import { bounded, type Dense, dense, type Held, isDense, numbers, reshaped } from "./dense.ts";
import { mapped, zipped } from "./elementwise.ts";
import { broadcastTo, concatenated, forEachIndex, transposed } from "./indexing.ts";
import { type Call, inputOf, type Kernels, optionalInput } from "./kernel.ts";
import { matmul, transposedLast } from "./matmul.ts";
import { alongAxis, softmaxLine } from "./softmax.ts";

/** [batch, time, heads·size] as [batch, heads, time, size]; four dims stay as they are. */
export function splitHeads(x: Dense, heads: number): Dense {
  if (x.dims.length === 4) return x;
  const [batch, time, width] = atLeast(x.dims, 3);
  return transposed(reshaped(x, [batch, time, heads, width / heads]), [0, 2, 1, 3]);
}

export function mergeHeads(x: Dense): Dense {
  const [batch, heads, time, size] = atLeast(x.dims, 4);
  return reshaped(transposed(x, [0, 2, 1, 3]), [batch, time, heads * size]);
}

/** Each head of keys and values serves a run of consecutive query heads. */
function sharedHeads(x: Dense, heads: number): Dense {
  const [batch, own, time, size] = atLeast(x.dims, 4);
  const repeated = broadcastTo(reshaped(x, [batch, own, 1, time, size]), [batch, own, heads / own, time, size]);
  return reshaped(repeated, [batch, heads, time, size]);
}

/** Softmax of a row; a row in which nothing is allowed gives zeros. */
export function probabilities(scores: Dense): Dense {
  return alongAxis(scores, scores.dims.length - 1, (line) =>
    line.every((value) => value === Number.NEGATIVE_INFINITY) ? new Float64Array(line.length) : softmaxLine(line),
  );
}

/** scale · Q·Kᵀ, with K's heads shared. */
export function scoresOf(q: Dense, k: Dense, scale: number): Dense {
  return mapped(matmul(q, transposedLast(sharedHeads(k, nth(q.dims, 1)))), (value) => value * scale);
}

export function weigh(weights: Dense, v: Dense): Dense {
  return matmul(weights, sharedHeads(v, nth(weights.dims, 1)));
}

/** 0 where query i of batch entry n may see key j, −∞ where not. */
function allowedBias(call: Call, scores: Dense, past: number): Dense {
  const { node } = call;
  const [batch, , queries, keys] = atLeast(scores.dims, 4);
  const causal = intOf(node, "is_causal", 0) === 1;
  const [left, right] = [intOf(node, "left_window_size", -1), intOf(node, "right_window_size", -1)];
  const valid = optionalInput(call, 6);
  const result = new Float64Array(bounded(batch * queries * keys));
  forEachIndex([batch, queries, keys], ([n, i, j], flat) => {
    const known = valid ? numbers(valid)[n]! : undefined;
    const at = i + (known === undefined || call.inputs[4] ? past : known - queries);
    const hidden =
      (known !== undefined && j >= known) ||
      (causal && j > at) ||
      (left >= 0 && j < at - left) ||
      (right >= 0 && j > at + right);
    result[flat] = hidden ? Number.NEGATIVE_INFINITY : 0;
  });
  return dense(scores.dtype, [batch, 1, queries, keys], result);
}

/** Booleans allow or forbid, floats are added. A mask shorter than the keys forbids the rest. */
function maskBias(mask: Dense, keys: number): Dense {
  const bias =
    mask.dtype === "bool"
      ? { ...mapped(mask, (yes) => (yes ? 0 : Number.NEGATIVE_INFINITY)), dtype: "float64" as const }
      : mask;
  const missing = keys - lastOf(bias.dims);
  if (missing === 0 || bias.dims.at(-1) === 1) return bias;
  const dims = bias.dims.with(-1, missing);
  const rest = new Float64Array(bounded(sizeOf(dims))).fill(Number.NEGATIVE_INFINITY);
  return concatenated([bias, dense(bias.dtype, dims, rest)], dims.length - 1);
}

/** Inputs Q, K, V, mask, past key, past value, valid key counts; outputs Y, present key and value, a stage of the scores. */
function attention(call: Call): Dense[] {
  const { node } = call;
  const given = inputOf(call, 0);
  const q = splitHeads(given, intOf(node, "q_num_heads", 0));
  const own = intOf(node, "kv_num_heads", 0);
  const [keys, values] = [splitHeads(inputOf(call, 1), own), splitHeads(inputOf(call, 2), own)];
  const pastKey = optionalInput(call, 4);
  const pastValue = optionalInput(call, 5);
  const k = pastKey ? concatenated([pastKey, keys], 2) : keys;
  const v = pastValue ? concatenated([pastValue, values], 2) : values;
  const scale = floatOf(node, "scale") ?? 1 / Math.sqrt(nth(q.dims, 3));
  const raw = scoresOf(q, k, scale);
  const cap = floatOf(node, "softcap", 0);
  const capped = cap === 0 ? raw : mapped(raw, (value) => cap * Math.tanh(value / cap));
  const mask = optionalInput(call, 3);
  const add = (a: number, b: number): number => a + b;
  const masked = mask ? zipped(capped, maskBias(mask, nth(k.dims, 2)), add) : capped;
  const biased = zipped(masked, allowedBias(call, raw, pastKey?.dims[2] ?? 0), add);
  const weights = probabilities(biased);
  const y = weigh(weights, v);
  const stage = nth([raw, capped, biased, weights], intOf(node, "qk_matmul_output_mode", 0));
  return [given.dims.length === 3 ? mergeHeads(y) : y, k, v, stage];
}

/** Attention with subgraphs that change the scores and the probabilities. */
function flexAttention(call: Call): Dense {
  const [q, k, v] = [inputOf(call, 0), inputOf(call, 1), inputOf(call, 2)];
  const changed = (x: Dense, name: string): Dense => {
    const graph = graphOf(call.node, name);
    const result: Held | undefined = graph ? call.run(graph, [x])[0] : x;
    return isDense(result) ? result : x;
  };
  const scale = floatOf(call.node, "scale") ?? 1 / Math.sqrt(nth(q.dims, 3));
  const scores = { ...scoresOf(q, k, scale), dtype: q.dtype === "float64" ? q.dtype : ("float32" as const) };
  const weights = changed(probabilities(changed(scores, "score_mod")), "prob_mod");
  return { ...weigh(weights, v), dtype: q.dtype };
}

/** Rotates pairs of the first entries of each head by its position's angle. */
function rotaryEmbedding(call: Call): Dense {
  const x = inputOf(call, 0);
  const { node } = call;
  const heads = splitHeads(x, intOf(node, "num_heads", 0));
  const positions = optionalInput(call, 3);
  const turned = rotated(heads, inputOf(call, 1), inputOf(call, 2), positions, {
    width: intOf(node, "rotary_embedding_dim", 0) || nth(heads.dims, 3),
    interleaved: intOf(node, "interleaved", 0) === 1,
  });
  return x.dims.length === 3 ? mergeHeads(turned) : turned;
}

export interface Rotation {
  /** Entries of a head that are rotated, from the first on. */
  readonly width: number;
  /** Pairs are neighbours instead of halves. */
  readonly interleaved: boolean;
}

/** `x` is [batch, heads, time, size]; the caches hold a row per position, or per batch entry and step. */
export function rotated(
  x: Dense,
  cosines: Dense,
  sines: Dense,
  positions: Dense | undefined,
  { width, interleaved }: Rotation,
): Dense {
  const half = width / 2;
  const steps = nth(x.dims, 2);
  const [values, cos, sin] = [numbers(x), numbers(cosines), numbers(sines)];
  const result = new Float64Array(values);
  forEachIndex([...exactly(x.dims.slice(0, 3), 3), half], ([n, h, t, pair]) => {
    const step = n * steps + t;
    const row = positions ? positionAt(positions, n, t) : step;
    const start = ((n * nth(x.dims, 1) + h) * steps + t) * nth(x.dims, 3);
    const first = start + (interleaved ? 2 * pair : pair);
    const second = interleaved ? first + 1 : first + half;
    const [c, s] = [cos[row * half + pair]!, sin[row * half + pair]!];
    result[first] = c * values[first]! - s * values[second]!;
    result[second] = s * values[first]! + c * values[second]!;
  });
  return dense(x.dtype, x.dims, result);
}

/** One position per step, or the first one's. */
function positionAt(positions: Dense, n: number, t: number): number {
  const values = numbers(positions);
  return values.length === 1 ? values[0]! + t : values[n * nth(positions.dims, 1) + t]!;
}

/**
 * Linear attention as a recurrence over a state S per head: S ← decay·S + k⊗u, o = scale·qᵀS, where u is v or, with a
 * delta rule, β·(v − Sᵀk).
 */
function linearAttention(call: Call): Dense[] {
  const { node } = call;
  const [heads, own] = [intOf(node, "q_num_heads", 1), intOf(node, "kv_num_heads", 1)];
  const q = splitHeads(inputOf(call, 0), heads);
  const [k, v] = [splitHeads(inputOf(call, 1), own), splitHeads(inputOf(call, 2), own)];
  const rule = stringOf(node, "update_rule", "gated_delta");
  const [past, decay, beta] = [3, 4, 5].map((i) => optionalInput(call, i));
  const [batch, , steps, size] = atLeast(q.dims, 4);
  const out = nth(v.dims, 3);
  const scale = floatOf(node, "scale", 0) || 1 / Math.sqrt(size);
  const state = past ? numbers(past).slice() : new Float64Array(bounded(batch * own * size * out));
  const result = new Float64Array(bounded(batch * heads * steps * out));
  for (let n = 0; n < batch; n++) {
    for (let h = 0; h < own; h++) {
      const s = state.subarray((n * own + h) * size * out, (n * own + h + 1) * size * out);
      const row = (x: Dense, head: number, t: number): Float64Array => rowOf(x, n, head, t);
      for (let t = 0; t < steps; t++) {
        if (decay && rule.startsWith("gated")) applyDecay(s, gateRow(decay, n, t, h, own), size, out);
        const update = row(v, h, t).slice();
        const key = row(k, h, t);
        if (rule.endsWith("delta")) correct(update, s, key, beta ? (gateRow(beta, n, t, h, own)[0] ?? 1) : 1);
        for (let i = 0; i < size; i++) for (let j = 0; j < out; j++) s[i * out + j]! += key[i]! * update[j]!;
        for (let g = 0; g < heads / own; g++) {
          const head = h * (heads / own) + g;
          const at = ((n * heads + head) * steps + t) * out;
          row(q, head, t).forEach((value, i) => {
            for (let j = 0; j < out; j++) result[at + j]! += scale * value * s[i * out + j]!;
          });
        }
      }
    }
  }
  const y = mergeHeads(dense(q.dtype, [batch, heads, steps, out], result));
  return [y, dense(past?.dtype ?? q.dtype, [batch, own, size, out], state)];
}

function rowOf(x: Dense, n: number, head: number, t: number): Float64Array {
  const [, heads, steps, size] = atLeast(x.dims, 4);
  const at = ((n * heads + head) * steps + t) * size;
  return numbers(x).subarray(at, at + size);
}

/** The part of a packed [batch, time, …] gate that belongs to a head; one number for all heads is shared. */
function gateRow(gate: Dense, n: number, t: number, head: number, heads: number): Float64Array {
  const [, steps, width] = atLeast(gate.dims, 3);
  const each = Math.max(1, width / heads);
  const at = (n * steps + t) * width + (width < heads ? 0 : head * each);
  return numbers(gate).subarray(at, at + each);
}

/** S ← exp(g)·S, by row when there is a gate per key entry. */
function applyDecay(s: Float64Array, gate: Float64Array, size: number, out: number): void {
  for (let i = 0; i < size; i++) {
    const factor = Math.exp(gate.length === 1 ? gate[0]! : gate[i]!);
    for (let j = 0; j < out; j++) s[i * out + j]! *= factor;
  }
}

/** u ← β·(u − Sᵀk). */
function correct(update: Float64Array, s: Float64Array, key: Float64Array, beta: number): void {
  const out = update.length;
  for (let j = 0; j < out; j++) {
    let seen = 0;
    for (let i = 0; i < key.length; i++) seen += s[i * out + j]! * key[i]!;
    update[j] = beta * (update[j]! - seen);
  }
}

export const attentions = {
  Attention: attention,
  "ai.onnx.preview::FlexAttention": flexAttention,
  LinearAttention: linearAttention,
  RotaryEmbedding: rotaryEmbedding,
} satisfies Kernels;
