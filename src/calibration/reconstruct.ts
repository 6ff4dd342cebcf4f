/**
 * @file Weights set to zero of which the others make up for the loss: SparseGPT (Frantar and Alistarh 2023, arXiv:2301.00774), with the
 * algebra of second-order rounding.
 */
import { damped, type Feedback, idealErrors, permuted, permutedRow, spreadErrors } from "./error-feedback.ts";
import { quadraticForm, upperFactor } from "./linear-algebra.ts";

/** A matrix of weights that lead from the same inputs to some outputs. */
export interface SparseProblem {
  /** `rows × columns`, row-major. */
  readonly weights: Float64Array;
  readonly rows: number;
  readonly columns: number;
  /** E[x xᵀ] of the inputs, row-major. */
  readonly gram: Float64Array;
  /** Columns in the order in which they are settled. */
  readonly order: Int32Array;
  /** Ends, in that order, of the blocks of columns of which what goes is chosen together. */
  readonly ends: Int32Array;
  /**
   * Which weights of a block go, a 1 for each: `scores` says what each would cost if only those behind it made up for it, `rows × width`;
   * `from` is where the block begins in the order.
   */
  choose(scores: Float64Array, width: number, from: number): Uint8Array;
}

export interface Reconstruction {
  /** Float32 numbers. */
  readonly weights: Float64Array;
  /** A 0 for each weight that went. */
  readonly mask: Uint8Array;
  /** E‖(w − ŵ) x‖² over all rows, and the same with what stays as it was. */
  readonly error: number;
  readonly plainError: number;
}

/** No row's error on the inputs is larger than with the same zeros alone. `damping` is added to the diagonal, relative to its mean. */
export function reconstructed(problem: SparseProblem, damping = 0.01): Reconstruction {
  const { weights, rows, columns, gram, order, ends } = problem;
  const factor = upperFactor(permuted(damped(gram, columns, columns, damping), columns, order), columns);
  const walks = Array.from({ length: rows }, (_, row) => ({
    target: permutedRow(weights.subarray(row * columns, (row + 1) * columns), order),
    carried: new Float64Array(columns),
    factor,
  }));
  const settled = new Float64Array(rows * columns);
  const mask = new Uint8Array(rows * columns).fill(1);
  let from = 0;
  for (const to of ends) {
    const width = to - from;
    const scores = new Float64Array(rows * width);
    for (const [row, walk] of walks.entries()) scores.set(costs(walk, from, to), row * width);
    const gone = problem.choose(scores, width, from);
    for (const [row, walk] of walks.entries()) {
      spreadErrors(walk, [from, to], (j, wanted) => {
        const at = row * columns + (order[j] ?? 0);
        mask[at] = gone[row * width + j - from] === 1 ? 0 : 1;
        settled[at] = mask[at] === 0 ? 0 : Math.fround(wanted);
        return settled[at];
      });
    }
    from = to;
  }
  return better(problem, settled, mask);
}

/** (w_j R_jj)² with w_j as it would be if all before it in the block stayed: what setting it to zero adds to the error. */
function costs(walk: Feedback, from: number, to: number): Float64Array {
  const { target, factor } = walk;
  return idealErrors(walk, from, to).map((error, at) => {
    const j = from + at;
    return (((target[j] ?? 0) - error) * (factor[j * target.length + j] ?? 0)) ** 2;
  });
}

/** Row by row the weights that were made up for, or those as they were under the same mask. */
function better(
  { weights, rows, columns, gram }: SparseProblem,
  settled: Float64Array,
  mask: Uint8Array,
): Reconstruction {
  let [error, plainError] = [0, 0];
  for (let row = 0; row < rows; row++) {
    const own = row * columns;
    const plain = weights.slice(own, own + columns).map((weight, i) => (mask[own + i] === 0 ? 0 : weight));
    const errorOf = (row: Float64Array) =>
      quadraticForm(
        gram,
        columns,
        row.map((weight, i) => (weights[own + i] ?? 0) - weight),
      );
    const [made, left] = [errorOf(settled.subarray(own, own + columns)), errorOf(plain)];
    if (left < made) settled.set(plain, own);
    error += Math.min(made, left);
    plainError += left;
  }
  return { weights: settled, mask, error, plainError };
}
