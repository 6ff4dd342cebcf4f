/** @file Moving whole rows, and counting them. Rows are slices of axis 0 of any rank. */
import { tensorFromNumbers, type Value } from "../../../ir/index.ts";
import { dimsOf, type Layers } from "../../../nn/index.ts";

/** rows[places]; its gradient adds up, so places may repeat. */
export function takeRows(n: Layers, rows: Value, places: Value): Value {
  return n.gather(rows, places, 0);
}

/**
 * `count` rows of zeros into which `rows` are written at `places`, all of which differ. Both ways it is a copy: the gradient reads the
 * rows back, where that of a `Gather` has to add.
 */
export function putRows(n: Layers, rows: Value, places: Value, count: Value): Value {
  const rest = n.op("Shape", [rows], { start: 1 });
  const zero = tensorFromNumbers("float32", [1], [0]);
  const empty = n.op("ConstantOfShape", [n.concat([count, rest], 0)], { value: zero });
  return n.op("ScatterND", [empty, n.unsqueeze(places, [1]), rows]);
}

/** Each row k times in a row: [tokens · k, …]. */
export function repeatRows(n: Layers, rows: Value, k: number): Value {
  if (k === 1) return rows;
  const rest = dimsOf(rows).length - 1;
  const times = [1, k, ...new Array<number>(rest).fill(1)];
  const spread = n.expand(n.unsqueeze(rows, [1]), n.ints(times));
  const flat = n.concat([n.ints([-1]), n.op("Shape", [rows], { start: 1 })], 0);
  return n.op("Reshape", [spread, flat]);
}

/** Σ over groups of k rows that follow one another: [tokens, …]. */
export function sumGroups(n: Layers, rows: Value, k: number): Value {
  if (k === 1) return rows;
  const flat = n.concat([n.ints([-1, k]), n.op("Shape", [rows], { start: 1 })], 0);
  return n.sum(n.op("Reshape", [rows, flat]), [1]);
}

/** rows · weights, one weight per row. */
export function weighRows(n: Layers, rows: Value, weights: Value): Value {
  const ones = dimsOf(rows)
    .slice(1)
    .map(() => 1);
  return n.mul(rows, n.reshape(weights, [-1, ...ones]));
}

/** int64 [1], the number of rows. */
export function countRows(n: Layers, rows: Value): Value {
  return n.op("Shape", [rows], { start: 0, end: 1 });
}

/** 0 … count − 1 for an int64 [1]. */
export function rangeOf(n: Layers, count: Value): Value {
  const at = (x: number) => n.constant("at", tensorFromNumbers("int64", [], [x]));
  return n.op("Range", [at(0), n.squeeze(count, [0]), at(1)]);
}

/** Steps in which an order in [0, 1) is told apart: with 2^11 experts and 2^32 pairs, keys fit into 63 bits. */
const STEPS = 2 ** 20;

/** Of a share: parts of one, and how many of them rounding may be off by. Exact up to 2^20 rows. */
const WHOLE = 2 ** 40;
const SLACK = 2 ** 20;

export interface SortedPairs {
  /** int64 [pairs]: the pair that stands at each place once pairs are sorted by expert. */
  readonly pairs: Value;
  /** int64 [pairs]: the place of each pair once they are sorted; the inverse of `pairs`. */
  readonly ranks: Value;
  /** int64 [experts]: pairs of each expert. */
  readonly loads: Value;
  /** int64 [1]: pairs in all. */
  readonly count: Value;
}

/**
 * (token, expert) pairs, token · k + choice, sorted by expert; among those of one expert by `order` in [0, 1), and where that is equal or absent by
 * the number of the pair.
 */
export function sortPairs(n: Layers, experts: Value, count: number, order?: Value): SortedPairs {
  const flat = n.reshape(experts, [-1]);
  const pairs = countRows(n, flat);
  const place = rangeOf(n, pairs);
  const steps = order && n.op("Floor", [n.mul(n.reshape(order, [-1]), STEPS)]);
  const key = steps ? n.add(n.mul(flat, n.ints([STEPS])), n.cast(steps, "int64")) : flat;
  const keys = n.add(n.mul(key, pairs), place);
  const [, sorted] = n.ops("TopK", [keys, pairs], 2, { axis: 0, largest: 0, sorted: 1 });
  const range = n.ints(Array.from({ length: count }, (_, e) => e));
  const equal = n.equal(n.unsqueeze(flat, [1]), range);
  const ones = n.cast(equal, "float32");
  const sums = n.sum(ones, [0]);
  const [, ranks] = n.ops("TopK", [sorted, pairs], 2, { axis: 0, largest: 0, sorted: 1 });
  return { pairs: sorted, ranks: ranks, loads: n.cast(sums, "int64"), count: pairs };
}

/** ⌈count · share⌉ or ⌊count · share⌋ of an int64 [1], in integers: no build of the runtime lacks those, and none rounds them. */
export function shareOf(n: Layers, count: Value, share: number, rounding: "Ceil" | "Floor"): Value {
  const product = n.mul(count, n.ints([Math.round(share * WHOLE)]));
  const shift = rounding === "Ceil" ? WHOLE - 1 - SLACK : SLACK;
  return n.div(n.add(product, n.ints([shift])), n.ints([WHOLE]));
}
