/** @file Choosing rows of sequences: products with matrices of zeros and ones, which are exact and run everywhere. */
import type { Value } from "../../ir/index.ts";
import { type Layers, lengthOf } from "../../nn/index.ts";
import type { Tokens } from "./reductions/token-reduction.ts";

/** int64 [...] → float32 [..., count], 1 at the index. */
export function oneHot(n: Layers, indices: Value, count: number): Value {
  const range = n.ints(Array.from({ length: count }, (_, i) => i));
  return toFloat(n, n.equal(n.unsqueeze(indices, [-1]), range));
}

function toFloat(n: Layers, x: Value): Value {
  return n.cast(x, "float32");
}

/** 1 at the `k` largest of each row of [batch, count], 0 elsewhere. */
export function largestMask(n: Layers, scores: Value, k: number, count: number): Value {
  const [, indices] = n.ops("TopK", [scores, n.ints([k])], 2, { axis: -1, largest: 1, sorted: 1 });
  return n.sum(oneHot(n, indices, count), [1]);
}

/** The rows where a mask [batch, count] is 1, in their order, as a matrix [batch, k, count]; there are k of them. */
export function maskedRows(n: Layers, mask: Value, k: number, count: number): Value {
  const falling = Array.from({ length: count }, (_, i) => count - i);
  const places = toFloat(n, n.ints(falling));
  const [, indices] = n.ops("TopK", [n.mul(mask, places), n.ints([k])], 2, { axis: -1, largest: 1, sorted: 1 });
  return oneHot(n, indices, count);
}

/** [values · sizes, sizes], in which tokens can be added up. */
export function weighted(n: Layers, { values, sizes }: Tokens): Value {
  return n.concat([n.mul(values, sizes), sizes], -1);
}

/** The inverse of `weighted`. */
export function unweighted(n: Layers, sums: Value): Tokens {
  const width = lengthOf(sums, -1) - 1;
  const [values, sizes] = n.ops("Split", [sums, n.ints([width, 1])], 2, { axis: -1 });
  return { values: n.div(values, sizes), sizes: sizes };
}
