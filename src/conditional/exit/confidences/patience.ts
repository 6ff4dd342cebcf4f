/** @file Confidence as agreement: PABEE, Zhou et al. (2020), arXiv:2006.04152. */
import { lastOf } from "../../../checked.ts";
import type { Value } from "../../../ir/index.ts";
import type { Confidence } from "./confidence.ts";

/** The number of exits in a row right before this one that answer as it does. Exit 0 has none before it. */
export function patience(): Confidence {
  return {
    name: "patience",
    range: (exit) => [0, exit],
    build(n, logits) {
      const answers = logits.map((value) => n.op("ArgMax", [value], { axis: -1, keepdims: 0 }));
      const own = lastOf(answers);
      const agrees = (value: Value) => n.cast(n.equal(value, own), "float32");
      const none = n.sub(agrees(own), 1);
      return answers.slice(0, -1).reduce((count, value) => n.mul(n.add(count, 1), agrees(value)), none);
    },
  };
}
