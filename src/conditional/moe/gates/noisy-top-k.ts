/** @file Noisy top-k gating: Shazeer et al., "Outrageously large neural networks" (2017), arXiv:1701.06538, section 2.1 and appendix A. */
import type { Value } from "../../../ir/index.ts";
import { type Layers, normalNoise, zeros } from "../../../nn/index.ts";
import { checkOptions, type OptionNames } from "../../../options.ts";
import type { Gate } from "../gate.ts";
import {
  checkChoices,
  checkFactor,
  chosenMask,
  largest,
  linearScores,
  masked,
  pickChosen,
  softmax,
  squaredVariation,
} from "../scores.ts";

export interface NoisyTopKOptions {
  /** Experts per token; 4 by default. */
  readonly k?: number;
  /** Factor of CV²(importance); 0.1 by default. */
  readonly importance?: number;
  /** Factor of CV²(load); 0.1 by default. */
  readonly load?: number;
}

const LEAST_DEVIATION = 1e-2;

const noisyTopKOptionsNames: OptionNames<NoisyTopKOptions> = { k: true, importance: true, load: true };

/**
 * H = x·W + N(0, 1)·σ with σ = softplus(x·W_noise) + 10⁻², G = softmax(the k largest of H). Losses: w·CV² of the importance Σ_x G(x), and
 * w·CV² of the load Σ_x Φ((x·W − the k-th largest of the other experts' H) / σ), the chance that the expert is chosen when its noise
 * is drawn again. Both matrices begin with zeros. Without noise, in inference, there is no load loss to compute.
 */
export function noisyTopK(options: NoisyTopKOptions = {}): Gate {
  const { k = 4, importance = 0.1, load = 0.1 } = checkOptions(options, noisyTopKOptionsNames);
  checkFactor("importance", importance, "noisy-top-k");
  checkFactor("load", load, "noisy-top-k");
  return {
    name: "noisy-top-k",
    learnable: true,
    hard: true,
    build(n, { tokens }, experts) {
      checkChoices(k, experts, "noisy-top-k");
      const clean = linearScores(n, tokens, experts, zeros);
      const deviation = deviations(n, linearScores(n.scope("noise"), tokens, experts, zeros));
      const noisy = n.add(clean, n.mul(normalNoise(n, clean), deviation));
      const more = largest(n, noisy, Math.min(k + 1, experts));
      const [chosen, mask] = chosenOf(n, more.experts, k, experts);
      const shares = n.mul(softmax(n, masked(n, noisy, mask)), mask);
      const sums = n.sum(shares, [0]);
      const losses = [{ name: "importance", weight: importance, value: squaredVariation(n, sums) }];
      if (k < experts) {
        const chances = chanceToBeChosen(n, { clean, noisy, deviation, values: more.values, mask, k });
        losses.push({ name: "load", weight: load, value: squaredVariation(n, chances) });
      }
      return {
        routing: { kind: "token-choice", experts: chosen, weights: pickChosen(n, shares, chosen) },
        losses,
        affinity: shares,
      };
    },
  };
}

function deviations(n: Layers, scores: Value): Value {
  const positive = n.add(n.max(scores, 0), n.log(n.add(n.exp(n.neg(n.abs(scores))), 1)));
  return n.add(positive, LEAST_DEVIATION);
}

function chosenOf(n: Layers, experts: Value, k: number, count: number): [Value, Value] {
  const chosen = n.slice(experts, [0], [k], [1]);
  return [chosen, chosenMask(n, chosen, count)];
}

interface Draw {
  readonly clean: Value;
  readonly noisy: Value;
  readonly deviation: Value;
  /** The k + 1 largest of each row. */
  readonly values: Value;
  readonly mask: Value;
  readonly k: number;
}

/** Σ_x Φ(…), [experts]: an expert among the k best has to stay above the (k+1)-th, another one to come above the k-th. */
function chanceToBeChosen(n: Layers, { clean, deviation, values, mask, k }: Draw): Value {
  const column = (i: number) => n.slice(values, [i], [i + 1], [1]);
  const bound = n.add(n.mul(mask, column(k)), n.mul(n.sub(1, mask), column(k - 1)));
  const distance = n.div(n.sub(clean, bound), deviation);
  const erf = n.op("Erf", [n.mul(distance, Math.SQRT1_2)]);
  const chance = n.mul(n.add(erf, 1), 0.5);
  return n.sum(chance, [0]);
}
