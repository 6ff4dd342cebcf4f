/** @file Tokens that are alike become one: ToMe, Bolya et al. (2023), arXiv:2210.09461. */
import { tensorFromNumbers, type Value } from "../../../ir/index.ts";
import type { Layers } from "../../../nn/index.ts";
import { largestMask, maskedRows, oneHot, unweighted, weighted } from "../selecting.ts";
import type { TokenReduction } from "./token-reduction.ts";

/** Hidden from a maximum of cosines. */
const NEVER = -2;

/**
 * Bipartite soft matching: every second token looks for the most similar of the others, by the cosine of their keys; the `remove` pairs
 * of the largest similarity become their mean, weighted by sizes. A class token is never merged into another.
 */
export function merge(): TokenReduction {
  return {
    name: "merge",
    most: (time, keepsFirst) => Math.min(Math.floor(time / 2), Math.ceil(time / 2) - Number(keepsFirst)),
    build(n, { keys, time, remove, keepsFirst, ...tokens }) {
      const places = Array.from({ length: time }, (_, i) => i);
      const even = places.filter((i) => i % 2 === 0);
      const odd = places.filter((i) => i % 2 === 1);
      const part = (x: Value, chosen: readonly number[]) => n.gather(x, n.ints(chosen), 1);
      const units = unit(n, keys());
      const targets = n.transpose(part(units, odd), [0, 2, 1]);
      const cosines = n.matmul(part(units, even), targets);
      const best = n.op("ReduceMax", [cosines, n.ints([-1])], { keepdims: 0 });
      const merged = largestMask(n, keepsFirst ? withoutFirst(n, best, even.length) : best, remove, even.length);
      const kept = maskedRows(n, n.sub(1, merged), even.length - remove, even.length);
      const target = oneHot(n, n.op("ArgMax", [cosines], { axis: -1, keepdims: 0 }), odd.length);
      const moved = n.mul(target, n.unsqueeze(merged, [-1]));
      const sums = weighted(n, tokens);
      const sources = part(sums, even);
      const received = n.matmul(n.transpose(moved, [0, 2, 1]), sources);
      const grown = n.add(part(sums, odd), received);
      return unweighted(n, n.concat([n.matmul(kept, sources), grown], 1));
    },
  };
}

function unit(n: Layers, x: Value): Value {
  const squares = n.sum(n.mul(x, x), [-1], true);
  return n.div(x, n.sqrt(n.add(squares, 1e-12)));
}

/** The first column out of reach. */
function withoutFirst(n: Layers, scores: Value, count: number): Value {
  const open = Array.from({ length: count }, (_, i) => Number(i > 0));
  const hidden = open.map((x) => (1 - x) * NEVER);
  const constant = (name: string, values: readonly number[]) =>
    n.constant(name, tensorFromNumbers("float32", [count], values));
  return n.add(n.mul(scores, constant("open", open)), constant("hidden", hidden));
}
