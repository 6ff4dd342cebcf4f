/** @file Triangular factors of symmetric positive definite matrices, in float64, row-major. */
import { LitheError } from "../errors.ts";

/**
 * The upper triangular R with `A = R Rᵀ`.
 *
 * @throws LitheError when A is not positive definite.
 */
export function upperFactor(a: Float64Array, n: number): Float64Array {
  const r = new Float64Array(n * n);
  for (let j = n - 1; j >= 0; j--) {
    const rowJ = j * n;
    for (let i = j; i >= 0; i--) {
      const rowI = i * n;
      let sum = a[rowI + j]!;
      for (let k = j + 1; k < n; k++) sum -= r[rowI + k]! * r[rowJ + k]!;
      if (i < j) r[rowI + j] = sum / r[rowJ + j]!;
      else if (sum > 0) r[rowJ + j] = Math.sqrt(sum);
      else throw new LitheError("a matrix of second moments is not positive definite", { got: `pivot ${sum}` });
    }
  }
  return r;
}

/** Solves `y R Rᵀ = v` for one row vector. */
export function solveRow(r: Float64Array, n: number, v: Float64Array): Float64Array {
  const z = Float64Array.from(v);
  // z Rᵀ = v: component i of z Rᵀ is Σ_{k ≥ i} z_k R_ik, so from the last to the first.
  for (let i = n - 1; i >= 0; i--) {
    let sum = z[i]!;
    for (let k = i + 1; k < n; k++) sum -= z[k]! * r[i * n + k]!;
    z[i] = sum / r[i * n + i]!;
  }
  // y R = z: component j is Σ_{k ≤ j} y_k R_kj, from the first to the last; column access becomes row updates.
  for (let j = 0; j < n; j++) {
    const y = z[j]! / r[j * n + j]!;
    z[j] = y;
    if (y !== 0) for (let k = j + 1; k < n; k++) z[k]! -= y * r[j * n + k]!;
  }
  return z;
}

/** `eᵀ A e`. */
export function quadraticForm(a: Float64Array, n: number, e: Float64Array): number {
  let total = 0;
  for (let i = 0; i < n; i++) {
    const ei = e[i]!;
    if (ei === 0) continue;
    let sum = 0;
    for (let j = 0; j < n; j++) sum += a[i * n + j]! * e[j]!;
    total += ei * sum;
  }
  return total;
}
