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
      const scores = n.op("Add", [received, n.constant("first", tensorFromNumbers("float32", [time], first))]);
      const mask = largestMask(n, scores, count, time);
      const rows = maskedRows(n, mask, count, time);
      const rest = n.op("Unsqueeze", [n.op("Sub", [n.number(1), mask]), n.ints([-1])]);
      const weights = n.op("Mul", [rest, n.op("Unsqueeze", [received, n.ints([-1])])]);
      const total = (x: Value) => n.op("ReduceSum", [x, n.ints([1])], { keepdims: 1 });
      const share = n.op("Add", [total(weights), n.number(1e-12)]);
      const mean = n.op("Div", [total(n.op("Mul", [values, weights])), share]);
      const size = total(n.op("Mul", [sizes, rest]));
      return {
        values: n.op("Concat", [n.op("MatMul", [rows, values]), mean], { axis: 1 }),
        sizes: n.op("Concat", [n.op("MatMul", [rows, sizes]), size], { axis: 1 }),
      };
    },
  };
}
