/** @file Expert choice carried out: each expert reads its tokens, and answers are added where they came from. */
import { nth } from "../../../checked.ts";
import { tensorFromNumbers } from "../../../ir/index.ts";
import { dimsOf } from "../../../nn/index.ts";
import type { ExpertChoice } from "../routing.ts";
import type { Dispatch } from "./dispatch.ts";
import { countRows, takeRows, weighRows } from "./rows.ts";

/** Experts · capacity rows of work. A token may stand in several rows, so answers are added, by `ScatterElements`. */
export function byExpert(): Dispatch {
  return {
    name: "by-expert",
    kinds: ["expert-choice"],
    hard: true,
    build(n, rows, routing, expert, experts) {
      const { tokens, weights } = routing as ExpertChoice;
      const flat = n.reshape(tokens, [-1]);
      const taken = takeRows(n, rows, flat);
      const parts = experts === 1 ? [taken] : n.ops("Split", [taken], experts, { axis: 0, num_outputs: experts });
      const answers = parts.map((part, i) => expert(n.scope(`expert${i}`), part, i));
      const joined = experts === 1 ? nth(answers, 0) : n.concat(answers, 0);
      const weighed = weighRows(n, joined, n.reshape(weights, [-1]));
      const rest = n.op("Shape", [weighed], { start: 1 });
      const dims = n.concat([countRows(n, rows), rest], 0);
      const empty = n.op("ConstantOfShape", [dims], { value: tensorFromNumbers("float32", [1], [0]) });
      const ones = dimsOf(weighed)
        .slice(1)
        .map(() => 1);
      const places = n.expand(n.reshape(flat, [-1, ...ones]), n.shape(weighed));
      return { output: n.op("ScatterElements", [empty, places, weighed], { axis: 0, reduction: "add" }) };
    },
  };
}
