/** @file Confidence as agreement: PABEE, Zhou et al. (2020), arXiv:2006.04152. */
import { dataTypes, type Value } from "../../../ir/index.ts";
import type { Confidence } from "./confidence.ts";

/** The number of exits in a row right before this one that answer as it does. Exit 0 has none before it. */
export function patience(): Confidence {
  return {
    name: "patience",
    range: (exit) => [0, exit],
    build(n, logits) {
      const answers = logits.map((value) => n.op("ArgMax", [value], { axis: -1, keepdims: 0 }));
      const own = answers.at(-1)!;
      const agrees = (value: Value) => n.op("Cast", [n.op("Equal", [value, own])], { to: dataTypes.float32.code });
      const none = n.op("Sub", [agrees(own), n.number(1)]);
      return answers
        .slice(0, -1)
        .reduce((count, value) => n.op("Mul", [n.op("Add", [count, n.number(1)]), agrees(value)]), none);
    },
  };
}
