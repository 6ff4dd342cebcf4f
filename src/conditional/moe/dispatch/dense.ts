/** @file Every expert over every row: the soft form, and the oracle for the hard ones. */
import { UsageError } from "../../../errors.ts";
import type { Value } from "../../../ir/index.ts";
import type { Layers } from "../../../nn/index.ts";
import type { Routing, TokenChoice } from "../routing.ts";
import { chosenMask } from "../scores.ts";
import type { Dispatch } from "./dispatch.ts";
import { weighRows } from "./rows.ts";

/** Σ_e weight_e · E_e(x) with all answers computed; experts that a token did not choose weigh 0. */
export function dense(): Dispatch {
  return {
    name: "dense",
    kinds: ["dense", "token-choice"],
    hard: false,
    build(n, rows, routing, expert, experts) {
      const columns = n.ops("Split", [fullWeights(n, routing, experts)], experts, { axis: 1, num_outputs: experts });
      const parts = columns.map((weights, i) => weighRows(n, expert(n.scope(`expert${i}`), rows, i), weights));
      return { output: parts.reduce((sum, part) => n.add(sum, part)) };
    },
  };
}

/** float32 [tokens, experts]. */
export function fullWeights(n: Layers, routing: Routing, experts: number): Value {
  if (routing.kind === "dense") return routing.weights;
  if (routing.kind === "token-choice") return spread(n, routing, experts);
  throw new UsageError("this routing has no weight per token and expert", { got: routing.kind });
}

function spread(n: Layers, { experts: chosen, weights }: TokenChoice, experts: number): Value {
  const zeros = n.mul(chosenMask(n, chosen, experts), 0);
  return n.op("ScatterElements", [zeros, chosen, weights], { axis: 1 });
}
