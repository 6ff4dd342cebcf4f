/** @file Each token to one expert: Fedus et al., "Switch Transformers" (2021), arXiv:2101.03961. */
import type { Value } from "../../../ir/index.ts";
import { type Layers, uniformNoise } from "../../../nn/index.ts";
import { checkOptions, type OptionNames } from "../../../options.ts";
import type { Gate } from "../gate.ts";
import { checkExperts, checkFactor, largest, linearScores, loadBalance, softmax, zLoss } from "../scores.ts";

export interface SwitchOptions {
  /** α, the factor of the load-balance loss; 0.01 by default. */
  readonly balance?: number;
  /** Factor of the router's z-loss; 0.001 by default. */
  readonly zWeight?: number;
  /** ε: in training the gate's input is multiplied with numbers from (1 − ε, 1 + ε); 0.01 by default, 0 for none. */
  readonly jitter?: number;
}

const switchOptionsNames: OptionNames<SwitchOptions> = { balance: true, zWeight: true, jitter: true };

/** y = p_i·E_i(x) for the most probable expert i; the factor p_i is all that gives the gate a gradient. */
export function switchGate(options: SwitchOptions = {}): Gate {
  const { balance = 0.01, zWeight = 0.001, jitter = 0.01 } = checkOptions(options, switchOptionsNames);
  checkFactor("balance", balance, "switch");
  checkFactor("zWeight", zWeight, "switch");
  checkFactor("jitter", jitter, "switch");
  return {
    name: "switch",
    learnable: true,
    hard: true,
    build(n, { tokens }, experts) {
      checkExperts(experts, "switch");
      const scores = linearScores(n, jittered(n, tokens, jitter), experts);
      const probabilities = softmax(n, scores);
      const { values, experts: chosen } = largest(n, probabilities, 1);
      return {
        routing: { kind: "token-choice", experts: chosen, weights: values },
        losses: [
          { name: "balance", weight: balance, value: loadBalance(n, probabilities, chosen, experts) },
          { name: "z", weight: zWeight, value: zLoss(n, scores) },
        ],
        affinity: probabilities,
      };
    },
  };
}

function jittered(n: Layers, tokens: Value, width: number): Value {
  if (width === 0) return tokens;
  const factor = n.add(n.mul(uniformNoise(n, tokens), width), 1);
  return n.mul(tokens, factor);
}
