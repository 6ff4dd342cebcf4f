/** @file Residual layers that a learned gate skips: SkipNet, Wang et al. (2018), arXiv:1711.09485, trained as in Veit and Belongie (2018), arXiv:1711.11503. */
import { ShapeError } from "../../../errors.ts";
import type { Value } from "../../../ir/index.ts";
import { dimsOf, type Layer, type Layers } from "../../../nn/index.ts";
import { agreeInDims } from "../../../ops/index.ts";
import { checkOptions, type OptionNames } from "../../../options.ts";
import type { LossTerm } from "../../../train/index.ts";
import { type GateOptions, learnedGate } from "../learned-gate.ts";
import { shareTerm } from "../share-term.ts";

export type SkippableOptions = GateOptions;

/** Names of outputs with a gate end with this, behind the path of the layer. */
export const GATE = "gate";

const skippableOptionsNames: OptionNames<SkippableOptions> = { temperature: true, open: true };

/**
 * y = x + g·f(x) with one gate g ∈ {0, 1} per sample: g is whether σ((ℓ + L) / τ) > ½, where ℓ is linear in the mean of x over all
 * positions and L is logistic noise in training (the difference of two Gumbel variables), 0 in inference. The gradient goes straight
 * through the rounding. g becomes an output of the model; `skipTerm` pulls it to a share, `exportSkipping` leaves f out.
 */
export function skippable(n: Layers, x: Value, f: Layer, options: SkippableOptions = {}): Value {
  checkOptions(options, skippableOptionsNames);
  const gate = n.reshape(learnedGate(n, meanFeatures(n, x), options), [
    -1,
    ...dimsOf(x)
      .slice(1)
      .map(() => 1),
  ]);
  n.output(gate, `${n.path}${GATE}`);
  const computed = f(n, x);
  if (!agreeInDims(dimsOf(computed), dimsOf(x))) {
    throw new ShapeError("a layer that may be skipped keeps the dims of its input", {
      expected: `[${dimsOf(x).join(", ")}]`,
      got: `[${dimsOf(computed).join(", ")}]`,
      where: `layer ${JSON.stringify(n.path)}`,
    });
  }
  return n.add(x, n.mul(computed, gate));
}

/** [batch, channels, …] or [batch, tokens, width] → [batch, channels or width]. */
function meanFeatures(n: Layers, x: Value): Value {
  const rank = dimsOf(x).length;
  if (rank === 2) return x;
  const axes = rank === 3 ? [1] : Array.from({ length: rank - 2 }, (_, i) => i + 2);
  return n.mean(x, axes);
}

/**
 * (mean gate − share)² over all samples and gates of the model, for `fit`.
 *
 * @param gates Names of the outputs, see `gatesOf`.
 */
export function skipTerm(gates: readonly string[], share: number, weight = 1): LossTerm {
  return shareTerm(gates, { name: "computed layers", share, weight });
}
