/** @file Each expert under an `If`: whoever is not chosen by any row of the batch is not computed. For batches of one row. */
import { nth } from "../../../checked.ts";
import { tensorFromNumbers, type Value } from "../../../ir/index.ts";
import { dimsOf, type Layers, lengthOf } from "../../../nn/index.ts";
import type { TokenChoice } from "../routing.ts";
import { chosenMask } from "../scores.ts";
import { fullWeights } from "./dense.ts";
import type { Dispatch } from "./dispatch.ts";
import { countRows, weighRows } from "./rows.ts";

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
      const parts = weights.map((weight, i) => {
        let answers = rows;
        return n.when(
          nth(taken, i),
          (inner) => {
            answers = expert(inner.scope(`expert${i}`), rows, i);
            return weighRows(inner, answers, weight);
          },
          (inner) => zeroRows(inner, rows, answers),
        );
      });
      return { output: parts.reduce((sum, part) => n.add(sum, part)) };
    },
  };
}

/** For each expert a bool scalar: whether any row chose it. */
function takenBy(n: Layers, { experts: chosen }: TokenChoice, experts: number): Value[] {
  const most = n.op("ReduceMax", [chosenMask(n, chosen, experts), n.ints([0])], { keepdims: 0 });
  const any = n.cast(most, "bool");
  const parts = n.ops("Split", [any], experts, { axis: 0, num_outputs: experts });
  return parts.map((part) => n.squeeze(part, [0]));
}

/** As many rows of zeros as `rows` has, each of the dims of an answer: where the expert is not computed, inference has to know them. */
function zeroRows(n: Layers, rows: Value, answers: Value): Value {
  const rest = dimsOf(answers)
    .slice(1)
    .map((_, i) => lengthOf(answers, i + 1));
  const isAlike = dimsOf(rows).slice(1).join() === rest.join();
  const shape = isAlike ? n.shape(rows) : n.concat([countRows(n, rows), n.ints(rest)], 0);
  return n.op("ConstantOfShape", [shape], { value: tensorFromNumbers("float32", [1], [0]) });
}
