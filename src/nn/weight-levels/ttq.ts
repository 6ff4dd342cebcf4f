/** @file Trained ternary quantization: Zhu et al. (2016), arXiv:1612.01064. */
import { UsageError } from "../../errors.ts";
import { checkOptions, type OptionNames } from "../../options.ts";
import { full } from "../initialisers.ts";
import { detached, zeroWithSlope } from "../straight-through.ts";
import { countAlong } from "./count-along.ts";
import type { WeightLevels } from "./weight-levels.ts";

export interface TtqOptions {
  /** Weights up to this share of the largest magnitude become 0; 0.05 by default. */
  readonly threshold?: number;
}

const ttqOptionsNames: OptionNames<TtqOptions> = { threshold: true };

/**
 * −wₙ, 0 and +wₚ of the whole layer, where both scales are trained. A weight gets the gradient of its level times the magnitude of that
 * level, times 1 where it is 0.
 *
 * @throws UsageError for a threshold that is no share
 */
export function ttq(options: TtqOptions = {}): WeightLevels {
  const { threshold = 0.05 } = checkOptions(options, ttqOptionsNames);
  if (!(threshold > 0 && threshold < 1)) {
    throw new UsageError("a threshold of ternary weights is out of range", {
      expected: "a number between 0 and 1",
      got: String(threshold),
    });
  }
  return (n, weight, inputs) => {
    const bound = n.mul(n.op("ReduceMax", [n.abs(weight)], { keepdims: 0 }), threshold);
    const above = n.mask(n.greater(weight, bound), weight);
    const below = n.mask(n.less(weight, n.neg(bound)), weight);
    const start = full(1 / Math.sqrt(countAlong(weight, inputs)));
    const positive = n.mul(above, n.parameter("positive_scale", [1], start));
    const negative = n.mul(below, n.parameter("negative_scale", [1], start));
    const rest = n.sub(n.sub(n.number(1), above), below);
    const slope = detached(n, n.add(n.add(positive, negative), rest));
    return n.add(n.sub(positive, negative), zeroWithSlope(n, n.mul(weight, slope)));
  };
}
