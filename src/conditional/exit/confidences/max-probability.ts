/** @file Confidence as the probability of the best class: MSDNet, Huang et al. (2018), arXiv:1703.09844. */
import { lastOf } from "../../../checked.ts";
import type { Confidence } from "./confidence.ts";

/** max softmax(logits), from 1 / C to 1. */
export function maxProbability(): Confidence {
  return {
    name: "max-probability",
    range: () => [0, 1],
    build: (n, logits) => n.op("ReduceMax", [n.softmax(lastOf(logits), -1), n.ints([-1])], { keepdims: 0 }),
  };
}
