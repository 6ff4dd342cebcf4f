/** @file Scores by the angle between a projected token and each expert: Chi et al., "On the representation collapse of sparse mixture of experts" (2022), arXiv:2204.09179. */
import { lengthOf, normal } from "../../../nn/index.ts";
import { checkOptions, type OptionNames } from "../../../options.ts";
import type { Gate } from "../gate.ts";
import { bestExperts, checkChoices, checkFactor, loadBalance, softmax, unit } from "../scores.ts";

export interface CosineOptions {
  /** Experts per token; 1 by default. */
  readonly k?: number;
  /** Width of the space in which angles are taken; half the number of experts, at least 2, by default. */
  readonly dims?: number;
  /** Factor of the load-balance loss; 0.01 by default. */
  readonly balance?: number;
}

const cosineOptionsNames: OptionNames<CosineOptions> = { k: true, dims: true, balance: true };

/** s_e = (P·x)·v_e / (|P·x|·|v_e|·τ) with a learned τ that begins at 0.3 and stays above 0.01; then as `topKGate`. */
export function cosine(options: CosineOptions = {}): Gate {
  const { k = 1, dims, balance = 0.01 } = checkOptions(options, cosineOptionsNames);
  checkFactor("balance", balance, "cosine");
  return {
    name: "cosine",
    learnable: true,
    hard: true,
    build(n, { tokens }, experts) {
      checkChoices(k, experts, "cosine");
      const width = lengthOf(tokens, -1);
      const space = dims ?? Math.max(2, experts >> 1);
      const projected = n.matmul(tokens, n.parameter("projection", [width, space], normal(1 / Math.sqrt(width))));
      const places = n.parameter("places", [space, experts], normal(1));
      const temperature = n.max(
        n.parameter("temperature", [1], () => Float32Array.of(0.3)),
        0.01,
      );
      const angles = n.matmul(unit(n, projected, 1), unit(n, places, 0));
      const scores = n.div(angles, temperature);
      const probabilities = softmax(n, scores);
      const chosen = bestExperts(n, scores, probabilities, k);
      return {
        routing: { kind: "token-choice", ...chosen },
        losses: [
          { name: "balance", weight: balance / k, value: loadBalance(n, probabilities, chosen.experts, experts) },
        ],
        affinity: probabilities,
      };
    },
  };
}
