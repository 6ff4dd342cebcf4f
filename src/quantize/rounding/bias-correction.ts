/** @file Bias correction: the error of quantization has a mean, and a mean can be subtracted (after Nagel et al. 2019). */

import { dequantizeValue } from "../scheme.ts";
import type { RoundingProblem, RoundingResult } from "./index.ts";

/**
 * `b + E[w x] − E[ŵ x̂]` for every output channel. The means are the moments' last row and column, that of the constant
 * input. Without moments the bias stays.
 */
export function correctedBias(problem: RoundingProblem, { values }: RoundingResult): Float64Array {
  const { weights, bias, rows, columns, moments } = problem;
  if (!moments) return bias;
  const n = columns + 1;
  const { gram, drift } = moments;
  const corrected = Float64Array.from(bias);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const i = row * columns + column;
      const seen = gram[columns * n + column]!;
      const meant = seen + (drift ? drift[column * n + columns]! : 0);
      const rounded = dequantizeValue(values[i]!, problem.parameters(row, column));
      corrected[row]! += weights[i]! * meant - rounded * seen;
    }
  }
  return corrected;
}
