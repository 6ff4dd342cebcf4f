/** @file Attention scores: Jiao et al., "TinyBERT: distilling BERT for natural language understanding" (2019), arXiv:1909.10351. */

import type { Value } from "../../ir/index.ts";
import { checkOptions } from "../../options.ts";
import { member, number } from "../../settings/index.ts";
import { meanSquaredError, type StepBuilder } from "../../train/index.ts";
import { type DistillationLoss, dimsOf, type PairOptions, pairLoss, pairOptionsNames } from "./distillation-loss.ts";

/** Scores below this are masks, not scores. */
const MASKED = -100;

/**
 * mean (t − s)² of the scores before the softmax, [N, heads, T, T], with those of masked places (−100 and less) as 0. Where the numbers of heads differ, of
 * their means over the heads.
 */
export function attentionScores(options: PairOptions): DistillationLoss {
  return pairLoss("attentionScores", checkOptions(options, pairOptionsNames), {
    build(g, teacher, student) {
      const [s, t] = [unmasked(g, student), unmasked(g, teacher)];
      const differs = dimsOf(t).length === 4 && dimsOf(t)[1] !== dimsOf(s)[1];
      const overHeads = (x: Value) => (differs ? g.mean(x, [1]) : x);
      return meanSquaredError().build(g, overHeads(s), overHeads(t));
    },
  });
}

member(attentionScores, { pairs: "given", weight: number() });

function unmasked(g: StepBuilder, x: Value): Value {
  return g.where(g.greater(x, MASKED), x, 0);
}
