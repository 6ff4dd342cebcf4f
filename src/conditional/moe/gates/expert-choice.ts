/** @file Each expert takes the tokens that want it most: Zhou et al., "Mixture-of-experts with expert choice routing" (2022), arXiv:2202.09368. */
import { checkOptions, type OptionNames } from "../../../options.ts";
import { shareOf } from "../dispatch/rows.ts";
import type { Gate } from "../gate.ts";
import { checkExperts, checkFactor, linearScores, softmax } from "../scores.ts";

export interface ExpertChoiceOptions {
  /** c: experts per token on average; 2 by default. */
  readonly factor?: number;
}

const expertChoiceOptionsNames: OptionNames<ExpertChoiceOptions> = { factor: true };

/**
 * Each expert takes the C = ⌊tokens · c / experts⌋ (at least 1, at most all) tokens with the largest softmax(x·W) in its column. Loads are equal by construction,
 * so there is no loss for balance; a token may be taken by many experts or by none. What a token gets depends on the other tokens of
 * the batch, so a causal network cannot use it for generation token by token.
 */
export function expertChoice(options: ExpertChoiceOptions = {}): Gate {
  const { factor = 2 } = checkOptions(options, expertChoiceOptionsNames);
  checkFactor("factor", factor, "expert-choice", 1e-6);
  return {
    name: "expert-choice",
    learnable: true,
    hard: true,
    build(n, { tokens }, experts) {
      checkExperts(experts, "expert-choice");
      const probabilities = softmax(n, linearScores(n, tokens, experts));
      const count = n.op("Shape", [tokens], { start: 0, end: 1 });
      const whole = shareOf(n, count, factor / experts, "Floor");
      const capacity = n.min(n.max(whole, n.ints([1])), count);
      const columns = n.transpose(probabilities, [1, 0]);
      const [weights, places] = n.ops("TopK", [columns, capacity], 2, { axis: -1, largest: 1, sorted: 1 });
      return {
        routing: { kind: "expert-choice", tokens: places, weights: weights },
        losses: [],
        affinity: probabilities,
      };
    },
  };
}
