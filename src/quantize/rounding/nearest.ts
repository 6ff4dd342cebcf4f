/** @file Every weight to its nearest integer. */
import { quantizeValue } from "../scheme.ts";
import type { RoundingProblem, RoundingResult } from "./rounding.ts";

/** Ties to even; the error of a weight is at most half a scale. The bias stays. */
export function nearest({ weights, bias, columns, parameters, limits }: RoundingProblem): RoundingResult {
  const values = new Int32Array(weights.length);
  for (let i = 0; i < values.length; i++) {
    values[i] = quantizeValue(weights[i]!, parameters(Math.floor(i / columns), i % columns), limits);
  }
  return { values, bias };
}
