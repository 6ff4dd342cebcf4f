/** @file Confidence as the absence of entropy: BranchyNet, Teerapittayanon et al. (2016), arXiv:1709.01686. */
import { lengthOf } from "../../../nn/index.ts";
import type { Confidence } from "./confidence.ts";

/** 1 + Σ p·ln p / ln C over the C classes: 1 for a certain answer, 0 for a uniform one. */
export function entropy(): Confidence {
  return {
    name: "entropy",
    range: () => [0, 1],
    build(n, logits) {
      const last = logits.at(-1)!;
      const logs = n.op("LogSoftmax", [last], { axis: -1 });
      const sum = n.op("ReduceSum", [n.op("Mul", [n.op("Exp", [logs]), logs]), n.ints([-1])], { keepdims: 0 });
      const scaled = n.op("Div", [sum, n.number(Math.log(Math.max(2, lengthOf(last, -1))))]);
      return n.op("Add", [scaled, n.number(1)]);
    },
  };
}
