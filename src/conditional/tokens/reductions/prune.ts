/** @file Tokens that get little attention become one: EViT, Liang et al. (2022), arXiv:2202.07800. */
import { tensorFromNumbers, type Value } from "../../../ir/index.ts";
import { largestMask, maskedRows } from "../selecting.ts";
import type { TokenReduction } from "./token-reduction.ts";

/** Added to the attention that a token gets, which is at most 1. */
const ALWAYS = 2;

/**
 * Keeps the tokens that get the most attention in their order, a class token among them, and puts the mean of all others behind them,
 * weighted by the attention that they get. It counts for as many tokens as it stands for.
 */
export function prune(): TokenReduction {
  return {
    name: "prune",
    most: (time) => time - 2,
    build(n, { values, sizes, received: attention, time, remove, keepsFirst }) {
      const count = time - remove - 1;
      const received = attention();
      const first = Array.from({ length: time }, (_, i) => (i === 0 && keepsFirst ? ALWAYS : 0));
      const scores = n.add(received, n.constant("first", tensorFromNumbers("float32", [time], first)));
      const mask = largestMask(n, scores, count, time);
      const rows = maskedRows(n, mask, count, time);
      const rest = n.unsqueeze(n.sub(1, mask), [-1]);
      const weights = n.mul(rest, n.unsqueeze(received, [-1]));
      const total = (x: Value) => n.sum(x, [1], true);
      const share = n.add(total(weights), 1e-12);
      const mean = n.div(total(n.mul(values, weights)), share);
      const size = total(n.mul(sizes, rest));
      return {
        values: n.concat([n.matmul(rows, values), mean], 1),
        sizes: n.concat([n.matmul(rows, sizes), size], 1),
      };
    },
  };
}
