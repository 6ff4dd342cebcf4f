/** @file A router that stays as it was drawn: the baseline for what learning to route is worth. */
import { lengthOf } from "../../../nn/index.ts";
import { checkOptions, type OptionNames } from "../../../options.ts";
import type { Gate } from "../gate.ts";
import { checkExperts } from "../scores.ts";
import { fixedRoute } from "./fixed-route.ts";
import { drawnMatrix } from "./locality-hash.ts";

export interface RandomFixedOptions {
  readonly seed?: number;
}

const randomFixedOptionsNames: OptionNames<RandomFixedOptions> = { seed: true };

/** argmax x·R for a fixed random R. */
export function randomFixed(options: RandomFixedOptions = {}): Gate {
  const { seed = 1 } = checkOptions(options, randomFixedOptionsNames);
  return {
    name: "random-fixed",
    learnable: false,
    hard: true,
    build(n, { tokens }, experts) {
      checkExperts(experts, "random-fixed");
      const scores = n.matmul(tokens, n.constant("scores", drawnMatrix(lengthOf(tokens, -1), experts, seed)));
      return fixedRoute(n, n.op("ArgMax", [scores], { axis: -1, keepdims: 0 }));
    },
  };
}
