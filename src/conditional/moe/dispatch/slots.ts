/** @file Experts over mixtures of tokens: two products around the experts. arXiv:2308.00951. */
import { nth } from "../../../checked.ts";
import { UsageError } from "../../../errors.ts";
import { dimsOf, lengthOf } from "../../../nn/index.ts";
import type { SlotRouting } from "../routing.ts";
import type { Dispatch } from "./dispatch.ts";

/** Y = combine · E(dispatchᵀ · X) for the tokens X of each sample, with the slots of an expert in all samples as its rows. Rows are vectors. */
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
      const width = lengthOf(rows, -1);
      const slotsEach = lengthOf(dispatch, -1) / experts;
      const places = n.op("Shape", [dispatch], { start: 0, end: 2 });
      const tokens = n.op("Reshape", [rows, n.concat([places, n.ints([width])], 0)]);
      const mixed = n.matmul(n.transpose(dispatch, [0, 2, 1]), tokens);
      const parts = experts === 1 ? [mixed] : n.ops("Split", [mixed], experts, { axis: 1, num_outputs: experts });
      const answers = parts.map((part, i) => {
        const answer = expert(n.scope(`expert${i}`), n.reshape(part, [-1, width]), i);
        return n.reshape(answer, [-1, slotsEach, lengthOf(answer, -1)]);
      });
      const joined = experts === 1 ? nth(answers, 0) : n.concat(answers, 1);
      const output = n.matmul(combine, joined);
      return { output: n.reshape(output, [-1, lengthOf(output, -1)]) };
    },
  };
}
