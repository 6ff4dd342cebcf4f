/** @file Each token to its k best experts, weighed by a softmax over those: the gate of arXiv:1701.06538 without noise. */
import { checkOptions, type OptionNames } from "../../../options.ts";
import type { Gate } from "../gate.ts";
import { bestExperts, checkChoices, checkFactor, linearScores, loadBalance, softmax, zLoss } from "../scores.ts";

export interface TopKOptions {
  /** Experts per token; 2 by default. */
  readonly k?: number;
  /** Factor of the load-balance loss; 0.01 by default. */
  readonly balance?: number;
  /** Factor of the z-loss; 0.001 by default. */
  readonly zWeight?: number;
}

const topKOptionsNames: OptionNames<TopKOptions> = { k: true, balance: true, zWeight: true };

/**
 * Weights are p_e of a softmax over all experts, divided by their sum over the chosen ones when k ≥ 2; with k = 1 they stay as they
 * are, since a weight that is always 1 would give the gate no gradient.
 */
export function topKGate(options: TopKOptions = {}): Gate {
  const { k = 2, balance = 0.01, zWeight = 0.001 } = checkOptions(options, topKOptionsNames);
  checkFactor("balance", balance, "top-k");
  checkFactor("zWeight", zWeight, "top-k");
  return {
    name: "top-k",
    learnable: true,
    hard: true,
    build(n, { tokens }, experts) {
      checkChoices(k, experts, "top-k");
      const scores = linearScores(n, tokens, experts);
      const probabilities = softmax(n, scores);
      const chosen = bestExperts(n, scores, probabilities, k);
      return {
        routing: { kind: "token-choice", ...chosen },
        losses: [
          { name: "balance", weight: balance / k, value: loadBalance(n, probabilities, chosen.experts, experts) },
          { name: "z", weight: zWeight, value: zLoss(n, scores) },
        ],
        affinity: probabilities,
      };
    },
  };
}
