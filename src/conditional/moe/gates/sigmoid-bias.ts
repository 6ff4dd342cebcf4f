/** @file Balance without a loss: a bias decides who is chosen and never what is answered. Wang et al. (2024), arXiv:2408.15664; DeepSeek-V3, arXiv:2412.19437. */
import { tensorFromNumbers } from "../../../ir/index.ts";
import { checkOptions, type OptionNames } from "../../../options.ts";
import type { Gate } from "../gate.ts";
import { checkChoices, checkFactor, chosenMask, largest, linearScores, pickChosen, sharesOf } from "../scores.ts";

export interface SigmoidBiasOptions {
  /** Experts per token; 2 by default. */
  readonly k?: number;
  /** How far a bias moves after each batch; 0.001 by default. */
  readonly step?: number;
}

const sigmoidBiasOptionsNames: OptionNames<SigmoidBiasOptions> = { k: true, step: true };

/**
 * Scores s = sigmoid(x·W). Chosen are the k largest of s + b; weights are their s, divided by the sum over those chosen when k ≥ 2. After each batch
 * b_e moves by `step` towards more load for an expert with less than the mean, and towards less for one with more.
 */
export function sigmoidBias(options: SigmoidBiasOptions = {}): Gate {
  const { k = 2, step = 0.001 } = checkOptions(options, sigmoidBiasOptionsNames);
  checkFactor("step", step, "sigmoid-bias");
  return {
    name: "sigmoid-bias",
    learnable: true,
    hard: true,
    build(n, { tokens }, experts) {
      checkChoices(k, experts, "sigmoid-bias");
      const scores = n.sigmoid(linearScores(n, tokens, experts));
      const bias = n.statistic("bias", tensorFromNumbers("float32", [experts], new Float32Array(experts)));
      const { experts: chosen } = largest(n, n.add(scores, bias), k);
      const raw = pickChosen(n, scores, chosen);
      // Whole numbers, in which a load that is the mean differs from it by nothing.
      const load = n.sum(chosenMask(n, chosen, experts), [0]);
      const all = n.sum(load);
      const short = n.op("Sign", [n.sub(all, n.mul(load, experts))]);
      const next = n.add(bias, n.mul(short, step));
      return {
        routing: { kind: "token-choice", experts: chosen, weights: k === 1 ? raw : sharesOf(n, raw) },
        losses: [],
        affinity: sharesOf(n, scores),
        moved: [{ value: bias, next }],
      };
    },
  };
}
