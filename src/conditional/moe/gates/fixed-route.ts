/** @file Token choice with weight 1, for gates that nothing is learned by. */
import { tensorFromNumbers, type Value } from "../../../ir/index.ts";
import type { Layers } from "../../../nn/index.ts";
import { countRows, rangeOf } from "../dispatch/rows.ts";
import type { Gated } from "../gate.ts";

/** Each token to one expert; `expert` is int64 [tokens]. */
export function fixedRoute(n: Layers, expert: Value): Gated {
  const experts = n.unsqueeze(expert, [1]);
  const one = tensorFromNumbers("float32", [1], [1]);
  const weights = n.op("ConstantOfShape", [n.shape(experts)], { value: one });
  return { routing: { kind: "token-choice", experts, weights }, losses: [] };
}

/** The place of each token, int64 [tokens]. */
export function positions(n: Layers, tokens: Value): Value {
  return rangeOf(n, countRows(n, tokens));
}
