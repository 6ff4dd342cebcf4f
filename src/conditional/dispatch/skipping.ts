/** @file Each expert under an `If`: whoever is not chosen by any row of the batch is not computed. For batches of one row. */
import { dataTypes, tensorFromNumbers, type Value } from "../../ir/index.ts";
import type { Layers } from "../../nn/index.ts";
import type { TokenChoice } from "../routing.ts";
import { chosenMask } from "../scores.ts";
import { fullWeights } from "./dense.ts";
import type { Dispatch } from "./dispatch.ts";
import { weighRows } from "./rows.ts";

/**
 * An expert that a row has chosen is computed for all rows of the batch, the others with weight 0. With one row, k of the experts are
 * computed, by kernels that keep their weights prepared; no row is moved.
 */
export function skipping(): Dispatch {
  return {
    name: "skipping",
    kinds: ["token-choice"],
    hard: true,
    build(n, rows, routing, expert, experts) {
      const weights = n.ops("Split", [fullWeights(n, routing, experts)], experts, { axis: 1, num_outputs: experts });
      const taken = takenBy(n, routing as TokenChoice, experts);
      const parts = weights.map((weight, i) =>
        n.when(
          taken[i]!,
          (inner) => weighRows(inner, expert(inner.scope(`expert${i}`), rows, i), weight),
          (inner) => zerosLike(inner, rows),
        ),
      );
      return { output: parts.reduce((sum, part) => n.op("Add", [sum, part])) };
    },
  };
}

/** For each expert a bool scalar: whether any row chose it. */
function takenBy(n: Layers, { experts: chosen }: TokenChoice, experts: number): Value[] {
  const most = n.op("ReduceMax", [chosenMask(n, chosen, experts), n.ints([0])], { keepdims: 0 });
  const any = n.op("Cast", [most], { to: dataTypes.bool.code });
  const parts = n.ops("Split", [any], experts, { axis: 0, num_outputs: experts });
  return parts.map((part) => n.op("Squeeze", [part, n.ints([0])]));
}

function zerosLike(n: Layers, rows: Value): Value {
  return n.op("ConstantOfShape", [n.op("Shape", [rows])], { value: tensorFromNumbers("float32", [1], [0]) });
}
