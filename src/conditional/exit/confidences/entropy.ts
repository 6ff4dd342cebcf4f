/** @file Confidence as the absence of entropy: BranchyNet, Teerapittayanon et al. (2016), arXiv:1709.01686. */
import { lastOf } from "../../../checked.ts";
import { lengthOf } from "../../../nn/index.ts";
import type { Confidence } from "./confidence.ts";

/** 1 + Σ p·ln p / ln C over the C classes: 1 for a certain answer, 0 for a uniform one. */
export function entropy(): Confidence {
  return {
    name: "entropy",
    range: () => [0, 1],
    build(n, logits) {
      const last = lastOf(logits);
      const logs = n.op("LogSoftmax", [last], { axis: -1 });
      const sum = n.sum(n.mul(n.exp(logs), logs), [-1]);
      const scaled = n.div(sum, Math.log(Math.max(2, lengthOf(last, -1))));
      return n.add(scaled, 1);
    },
  };
}
