/** @file The gate of a block that was dense: its weights begin as the block needs them, and learn from there. */
import type { Value } from "../../../ir/index.ts";
import type { Initialiser, Layers } from "../../../nn/index.ts";
import type { Gate } from "../gate.ts";
import { largest, linearScores, loadBalance, pickChosen, softmax, zLoss } from "../scores.ts";

export interface RouteGateOptions {
  /** Experts per token. */
  readonly k: number;
  /** Factor of the load-balance loss. */
  readonly balance: number;
  /** Factor of the z-loss. */
  readonly zWeight: number;
  /** The router's first matrix, [width, experts]; small random numbers when absent. */
  readonly weight?: Initialiser;
  /** A first row of biases; none when absent. */
  readonly bias?: Initialiser;
  /** From the probabilities of the chosen experts, which are the softmax over all, and their scores to weights; [tokens, k] all. */
  weigh(n: Layers, probabilities: Value, scores: Value): Value;
}

/** The k best of x·W + b, weighed as the method says. */
export function routeGate({ k, balance, zWeight, weight, bias, weigh }: RouteGateOptions): Gate {
  return {
    name: "route",
    learnable: true,
    hard: true,
    build(n, { tokens }, experts) {
      const product = linearScores(n, tokens, experts, weight);
      const scores = bias ? n.add(product, n.parameter("bias", [experts], bias)) : product;
      const probabilities = softmax(n, scores);
      const chosen = largest(n, scores, k);
      const weights = weigh(n, pickChosen(n, probabilities, chosen.experts), chosen.values);
      return {
        routing: { kind: "token-choice", experts: chosen.experts, weights },
        losses: [
          { name: "balance", weight: balance / k, value: loadBalance(n, probabilities, chosen.experts, experts) },
          { name: "z", weight: zWeight, value: zLoss(n, scores) },
        ],
        affinity: probabilities,
      };
    },
  };
}
