/** @file A gate that is open or closed, learned straight through its rounding. */
import { UsageError } from "../../errors.ts";
import type { Value } from "../../ir/index.ts";
import { full, type Layers, linear, normal } from "../../nn/index.ts";
import { logisticNoise, rounded } from "./straight-through.ts";

export interface GateOptions {
  /** τ of the noisy sigmoid in training; 1 by default. */
  readonly temperature?: number;
  /** Where the logit of the gate begins; 2 by default, so that most is computed at first. */
  readonly open?: number;
}

/**
 * [..., features] → [..., 1] of 0 and 1: σ((ℓ + L) / τ) rounded, where ℓ is linear in the features and L is logistic noise in training, 0 in
 * inference.
 *
 * @throws UsageError for options out of range.
 */
export function learnedGate(n: Layers, features: Value, { temperature = 1, open = 2 }: GateOptions): Value {
  if (!(temperature > 0 && Number.isFinite(temperature) && Number.isFinite(open))) {
    throw new UsageError("the options of a gate are out of range", {
      expected: "a positive temperature and a finite start",
      got: `${temperature}, ${open}`,
    });
  }
  const logit = linear(n.scope("skip"), features, 1, { weight: normal(0.01), biasInitial: full(open) });
  const noisy = n.add(logit, logisticNoise(n, logit));
  return rounded(n, n.sigmoid(n.mul(noisy, 1 / temperature)));
}
