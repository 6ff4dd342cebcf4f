/** @file Experts over mixtures of tokens: two products around the experts. arXiv:2308.00951. */
import { UsageError } from "../../errors.ts";
import { dimsOf } from "../../nn/index.ts";
import type { SlotRouting } from "../routing.ts";
import type { Dispatch } from "./dispatch.ts";

/** Y = combine · E(dispatchᵀ · X), with the slots of an expert as its rows. Rows are vectors. */
export function slots(): Dispatch {
  return {
    name: "slots",
    kinds: ["slots"],
    hard: false,
    build(n, rows, routing, expert, experts) {
      const { dispatch, combine } = routing as SlotRouting;
      if (dimsOf(rows).length !== 2) {
        throw new UsageError("only vectors can be mixed into slots", {
          expected: "[tokens, width]",
          got: `[${dimsOf(rows).join(", ")}]`,
        });
      }
      const mixed = n.op("MatMul", [n.op("Transpose", [dispatch], { perm: [1, 0] }), rows]);
      const parts = experts === 1 ? [mixed] : n.ops("Split", [mixed], experts, { axis: 0, num_outputs: experts });
      const answers = parts.map((part, i) => expert(n.scope(`expert${i}`), part, i));
      const joined = experts === 1 ? answers[0]! : n.op("Concat", answers, { axis: 0 });
      return { output: n.op("MatMul", [combine, joined]) };
    },
  };
}
