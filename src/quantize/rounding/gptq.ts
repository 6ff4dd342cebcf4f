/**
 * @file GPTQ (Frantar et al. 2022, arXiv:2210.17323): column after column, each error spread over the columns that follow.
 *
 * With H = E[x xᵀ] + λI and U the upper Cholesky factor of H⁻¹, column i becomes q, and `w_j ← w_j − (w_i − q) U_ij / U_ii` for j > i. The
 * same with H = R Rᵀ, R = U⁻¹, needs no inverse. Unlike `second-order` there is no descent afterwards, no part for the bias, and no
 * comparison with nearest: it is what other tools call by this name.
 */
import {
  damped,
  idealErrors,
  permuted,
  permutedRow,
  spreadErrors,
  upperFactor,
  withoutConstant,
} from "../../calibration/index.ts";
import { checkOptions, type OptionNames } from "../../options.ts";
import { dequantizeValue, type Parameters, quantizeValue } from "../scheme.ts";
import { nearest } from "./nearest.ts";
import type { FreeBlocks, Rounding, RoundingProblem } from "./rounding.ts";

export interface GptqOptions {
  /** Added to the diagonal, relative to its mean; default 0.01. */
  readonly damping?: number;
  /**
   * `stored`: as the columns lie, and each block gets its scale when it is reached, from weights that make up for the errors so far.
   * `energy` ("act-order"): inputs with most energy first, and blocks keep the scales of the weights as they were. Default `stored`.
   */
  readonly order?: "stored" | "energy";
}

const gptqOptionsNames: OptionNames<GptqOptions> = { damping: true, order: true };

/** Without moments it is nearest. */
export function gptq(options: GptqOptions = {}): Rounding {
  const { damping = 0.01, order = "stored" } = checkOptions(options, gptqOptionsNames);
  return (problem) => {
    const { moments, rows, columns, bias } = problem;
    if (!moments) return nearest(problem);
    const { gram } = withoutConstant(moments, columns);
    const sequence = new Int32Array(columns).map((_, i) => i);
    if (order === "energy") sequence.sort((a, b) => (gram[b * columns + b] ?? 0) - (gram[a * columns + a] ?? 0));
    const factor = upperFactor(permuted(damped(gram, columns, columns, damping), columns, sequence), columns);
    const values = new Int32Array(rows * columns);
    const found: Parameters[] = [];
    for (let row = 0; row < rows; row++) {
      const own = { problem, row, sequence, factor, values };
      if (order === "stored" && problem.blocks) roundBlocks(own, problem.blocks, found);
      else roundRow(own);
    }
    return found.length > 0 ? { values, bias, parameters: found } : { values, bias };
  };
}

interface RowWalk {
  readonly problem: RoundingProblem;
  readonly row: number;
  /** Columns in the order in which they are settled. */
  readonly sequence: Int32Array;
  readonly factor: Float64Array;
  readonly values: Int32Array;
}

function targetOf({ problem: { weights, columns }, row, sequence }: RowWalk): Float64Array {
  return permutedRow(weights.subarray(row * columns, (row + 1) * columns), sequence);
}

function roundRow(walk: RowWalk): void {
  const { problem, row, sequence, factor, values } = walk;
  const { columns, limits } = problem;
  const feedback = { target: targetOf(walk), carried: new Float64Array(columns), factor };
  spreadErrors(feedback, [0, columns], (j, wanted) => {
    const column = sequence[j] ?? 0;
    const parameters = problem.parameters(row, column);
    const value = quantizeValue(wanted, parameters, limits);
    values[row * columns + column] = value;
    return dequantizeValue(value, parameters);
  });
}

/** Columns are in order; the parameters of the row's blocks are added to `found`. */
function roundBlocks(walk: RowWalk, { size, parametersOf }: FreeBlocks, found: Parameters[]): void {
  const { problem, row, factor, values } = walk;
  const { columns, limits } = problem;
  const feedback = { target: targetOf(walk), carried: new Float64Array(columns), factor };
  for (let from = 0; from < columns; from += size) {
    const to = Math.min(from + size, columns);
    const errors = idealErrors(feedback, from, to);
    const parameters = parametersOf(feedback.target.slice(from, to).map((weight, i) => weight - (errors[i] ?? 0)));
    found.push(parameters);
    spreadErrors(feedback, [from, to], (j, wanted) => {
      const value = quantizeValue(wanted, parameters, limits);
      values[row * columns + j] = value;
      return dequantizeValue(value, parameters);
    });
  }
}
