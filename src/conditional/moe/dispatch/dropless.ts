/** @file Dropless dispatch: pairs sorted by expert, one computation per expert over just its rows. Gale et al., "MegaBlocks" (2022), arXiv:2211.15841. */
import { nth } from "../../../checked.ts";
import type { Value } from "../../../ir/index.ts";
import type { Layers } from "../../../nn/index.ts";
import type { Expert } from "../expert.ts";
import { choicesOf, type TokenChoice } from "../routing.ts";
import type { Dispatch } from "./dispatch.ts";
import { putRows, repeatRows, sortPairs, sumGroups, weighRows } from "./rows.ts";

/**
 * Rows are written in the order of their experts, cut into one piece per expert however long, and the answers are written back to where
 * they came from. Work is that of tokens · k rows; no row is padded and none is left out.
 */
export function dropless(): Dispatch {
  return {
    name: "dropless",
    kinds: ["token-choice"],
    hard: true,
    build: (n, rows, routing, expert, experts) => ({
      output: sortedByExpert(n, rows, routing as TokenChoice, expert, experts),
    }),
  };
}

function sortedByExpert(n: Layers, rows: Value, routing: TokenChoice, expert: Expert, experts: number): Value {
  const k = choicesOf(routing);
  const { pairs, ranks, loads, count } = sortPairs(n, routing.experts, experts);
  const sorted = putRows(n, repeatRows(n, rows, k), ranks, count);
  const parts = experts === 1 ? [sorted] : n.ops("Split", [sorted, loads], experts, { axis: 0 });
  const answers = parts.map((part, i) => expert(n.scope(`expert${i}`), part, i));
  const joined = experts === 1 ? nth(answers, 0) : n.concat(answers, 0);
  const weights = n.reshape(routing.weights, [-1]);
  return sumGroups(n, weighRows(n, putRows(n, joined, pairs, count), weights), k);
}
