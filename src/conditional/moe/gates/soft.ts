/** @file The dense gate: every expert answers, weighed by a softmax. Jacobs et al., "Adaptive mixtures of local experts" (1991). */
import type { Gate } from "../gate.ts";
import { checkExperts, linearScores, softmax } from "../scores.ts";

/** G(x) = softmax(x·W). Nothing is skipped; it is the soft form that hard gates are compared with. */
export function soft(): Gate {
  return {
    name: "soft",
    learnable: true,
    hard: false,
    build(n, { tokens }, experts) {
      checkExperts(experts, "soft");
      const weights = softmax(n, linearScores(n, tokens, experts));
      return { routing: { kind: "dense", weights }, losses: [], affinity: weights };
    },
  };
}
