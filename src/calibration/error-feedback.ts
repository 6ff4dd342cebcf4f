/**
 * @file Weights changed one after another, each so that it makes up for the errors before it (after Frantar et al. 2022,
 * arXiv:2208.11580): rounded by quantization, set to zero by pruning.
 *
 * The output's error is E‖(w − ŵ) x‖² = (w − ŵ) H (w − ŵ)ᵀ with H = E[x xᵀ]. With H = R Rᵀ and R upper triangular, component j of
 * (w − ŵ) R depends on the weights up to j, so each weight can be chosen to make its component small given those before it.
 */
import type { Moments } from "./moments.ts";

/** A row of weights on its way. */
export interface Feedback {
  readonly target: Float64Array;
  /** Component k of (w − ŵ) R for the weights that are settled. */
  readonly carried: Float64Array;
  /** R, with as many rows as there are elements in `target`. */
  readonly factor: Float64Array;
}

/** Settles the weights `from … to` in order: `settle` is told what a weight would have to be, and says what it becomes. */
export function spreadErrors(
  { target, carried, factor }: Feedback,
  [from, to]: readonly [number, number],
  settle: (column: number, wanted: number) => number,
): void {
  const n = target.length;
  for (let j = from; j < to; j++) {
    const error = target[j]! - settle(j, target[j]! + carried[j]! / factor[j * n + j]!);
    for (let k = j + 1; k < n; k++) carried[k]! += error * factor[j * n + k]!;
  }
}

/** w − ŵ of the weights `from … to` if all of them, real numbers still, made up for the errors before. */
export function idealErrors({ target, carried, factor }: Feedback, from: number, to: number): Float64Array {
  const n = target.length;
  const errors = new Float64Array(to - from);
  for (let j = from; j < to; j++) {
    let sum = carried[j]!;
    for (let k = from; k < j; k++) sum += errors[k - from]! * factor[k * n + j]!;
    errors[j - from] = -sum / factor[j * n + j]!;
  }
  return errors;
}

/** Of the inputs alone. */
export function withoutConstant({ gram, drift }: Moments, columns: number): Moments {
  const n = columns + 1;
  const cut = (matrix: Float64Array) =>
    new Float64Array(columns * columns).map((_, i) => matrix[Math.floor(i / columns) * n + (i % columns)]!);
  return { gram: cut(gram), ...(drift && { drift: cut(drift) }) };
}

/** H + λI; inputs that never move get a unit diagonal, so that nothing is fed back to their weights. */
export function damped(gram: Float64Array, n: number, columns: number, damping: number): Float64Array {
  const result = Float64Array.from(gram);
  let trace = 0;
  for (let i = 0; i < columns; i++) trace += gram[i * n + i]!;
  const added = Math.max((damping * trace) / Math.max(1, columns), 1e-12);
  for (let i = 0; i < n; i++) result[i * n + i]! += added;
  return result;
}

export function permuted(matrix: Float64Array, n: number, order: Int32Array): Float64Array {
  const result = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    const from = order[i]! * n;
    for (let j = 0; j < n; j++) result[i * n + j] = matrix[from + order[j]!]!;
  }
  return result;
}

export function permutedRow(row: Float64Array, order: Int32Array): Float64Array {
  return new Float64Array(order.length).map((_, i) => row[order[i]!]!);
}
