/** @file Attention in products and a Softmax: Y = softmax(scale·Q·Kᵀ + bias)·V per head. */
import { atLeast } from "../checked.ts";
import { UnsupportedError } from "../errors.ts";
import { type Dim, scalar, type Value } from "../ir/index.ts";
import type { GradientBuilder } from "./gradient-builder.ts";

export interface AttendOptions {
  /** 1 / √(head size) when absent. */
  readonly scale?: number | undefined;
  /** Added to the scores, or, as bool, what may be seen; broadcast to [batch, heads, queries, keys]. */
  readonly mask?: Value | undefined;
  /** A query sees keys up to its own position. */
  readonly isCausal?: boolean;
  /** Scores are bounded: c·tanh(score / c). */
  readonly softcap?: number | undefined;
}

/** Queries, keys and values are [batch, heads, positions, size]; heads of keys are repeated for groups of queries. */
export function attend(g: GradientBuilder, q: Value, k: Value, v: Value, options: AttendOptions): Value {
  const scale = options.scale ?? 1 / Math.sqrt(lengthOf(g, q, 3));
  const groups = lengthOf(g, q, 1) / lengthOf(g, k, 1);
  const keys = g.transpose(repeatHeads(g, k, groups), [0, 1, 3, 2]);
  const scores = g.matmul(g.scale(q, scale), keys);
  const cap = options.softcap;
  const bounded = cap ? g.scale(g.tanh(g.scale(scores, 1 / cap)), cap) : scores;
  const masked = hide(g, bounded, options);
  return g.matmul(g.softmax(masked, -1), repeatHeads(g, v, groups));
}

function hide(g: GradientBuilder, scores: Value, { mask, isCausal }: AttendOptions): Value {
  const seen = isCausal ? causal(g, scores) : undefined;
  const first = seen ? g.where(seen, scores, lowest(g, scores)) : scores;
  if (!mask) return first;
  return g.dtype(mask) === "bool" ? g.where(mask, first, lowest(g, scores)) : g.add(first, mask);
}

function lowest(g: GradientBuilder, like: Value): Value {
  return g.raw.constant("hidden", scalar(g.dtype(like), Number.NEGATIVE_INFINITY));
}

/** [queries, keys]: key ≤ query. */
function causal(g: GradientBuilder, scores: Value): Value {
  const positions = (axis: number): Value => {
    const count = g.squeeze(g.op("Shape", [scores], { start: axis, end: axis + 1 }), [0]);
    return g.op("Range", [g.number(0, count), count, g.number(1, count)]);
  };
  return g.op("LessOrEqual", [g.unsqueeze(positions(3), [0]), g.unsqueeze(positions(2), [1])]);
}

function repeatHeads(g: GradientBuilder, x: Value, times: number): Value {
  if (times === 1) return x;
  const [batch, heads, length, size] = atLeast(g.dims(x) as readonly Dim[], 4);
  const open = g.unsqueeze(x, [2]);
  const wide = g.expand(open, g.ints([1, 1, times, 1, 1]));
  return g.op("Reshape", [wide, g.shapeFrom([batch, Number(heads) * times, length, size], x)]);
}

/** Heads and their sizes are numbers of the network, not of its inputs. */
export function lengthOf(g: GradientBuilder, x: Value, axis: number): number {
  const dim = g.dims(x)[axis];
  if (typeof dim === "number") return dim;
  throw new UnsupportedError("the gradient of attention needs known heads and sizes", {
    got: `[${g.dims(x).join(", ")}], axis ${axis}`,
    where: `value "${x.name}"`,
    hint: "Fix the dims of the model's inputs.",
  });
}

/** [batch, positions, heads·size] → [batch, heads, positions, size]. */
export function splitHeads(g: GradientBuilder, x: Value, heads: number): Value {
  return g.transpose(g.op("Reshape", [x, g.ints([0, 0, heads, lengthOf(g, x, 2) / heads])]), [0, 2, 1, 3]);
}

/** [batch, heads, positions, size] → [batch, positions, heads·size]. */
export function joinHeads(g: GradientBuilder, x: Value): Value {
  const width = lengthOf(g, x, 1) * lengthOf(g, x, 3);
  return g.op("Reshape", [g.transpose(x, [0, 2, 1, 3]), g.ints([0, 0, width])]);
}
