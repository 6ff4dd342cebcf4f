/** @file Residual layers that a learned gate skips: SkipNet, Wang et al. (2018), arXiv:1711.09485, trained as in Veit and Belongie (2018), arXiv:1711.11503. */
import { UsageError } from "../../errors.ts";
import type { Value } from "../../ir/index.ts";
import { dimsOf, full, type Layer, type Layers, linear, normal } from "../../nn/index.ts";
import type { LossTerm } from "../../train/index.ts";
import { shareTerm } from "../share-term.ts";
import { logisticNoise, rounded } from "../straight-through.ts";

export interface SkippableOptions {
  /** τ of the noisy sigmoid in training; 1 by default. */
  readonly temperature?: number;
  /** Where the logit of the gate begins; 2 by default, so that most layers are computed at first. */
  readonly open?: number;
}

/** Names of outputs with a gate end with this, behind the path of the layer. */
export const GATE = "gate";

/**
 * y = x + g·f(x) with one gate g ∈ {0, 1} per sample: g is whether σ((ℓ + L) / τ) > ½, where ℓ is linear in the mean of x over all
 * positions and L is logistic noise in training (the difference of two Gumbel variables), 0 in inference. The gradient goes straight
 * through the rounding. g becomes an output of the model; `skipTerm` pulls it to a share, `exportSkipping` leaves f out.
 */
export function skippable(n: Layers, x: Value, f: Layer, { temperature = 1, open = 2 }: SkippableOptions = {}): Value {
  if (!(temperature > 0 && Number.isFinite(temperature) && Number.isFinite(open))) {
    throw new UsageError("the options of a gate are out of range", {
      expected: "a positive temperature and a finite start",
      got: `${temperature}, ${open}`,
    });
  }
  const scope = n.scope("skip");
  const logit = linear(scope, meanFeatures(n, x), 1, { weight: normal(0.01), biasInitial: full(open) });
  const soft = n.op("Sigmoid", [
    n.op("Mul", [n.op("Add", [logit, logisticNoise(n, logit)]), n.number(1 / temperature)]),
  ]);
  const gate = n.op("Reshape", [
    rounded(n, soft),
    n.ints([
      -1,
      ...dimsOf(x)
        .slice(1)
        .map(() => 1),
    ]),
  ]);
  n.output(gate, `${n.path}${GATE}`);
  return n.op("Add", [x, n.op("Mul", [f(n, x), gate])]);
}

/** [batch, channels, …] or [batch, tokens, width] → [batch, channels or width]. */
function meanFeatures(n: Layers, x: Value): Value {
  const rank = dimsOf(x).length;
  if (rank === 2) return x;
  const axes = rank === 3 ? [1] : Array.from({ length: rank - 2 }, (_, i) => i + 2);
  return n.op("ReduceMean", [x, n.ints(axes)], { keepdims: 0 });
}

/**
 * (mean gate − share)² over all samples and gates of the model, for `fit`.
 *
 * @param gates Names of the outputs, see `gatesOf`.
 */
export function skipTerm(gates: readonly string[], share: number, weight = 1): LossTerm {
  return shareTerm(gates, { name: "computed layers", share, weight });
}
