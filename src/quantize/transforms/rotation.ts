/**
 * @file Orthogonal matrices that spread every channel over all others and keep the vector of ones where it is: `Q = Cᵀ D C` with C the
 * Hadamard matrix (for powers of two) or the cosine transform, both with a constant first row, and D random signs, the first of them +1. They
 * are symmetric, so each is its own inverse.
 */

/** Multiplies a row vector by Q in place. */
export type Rotation = (row: Float64Array) => void;

export function rotationOf(width: number, seed: number): Rotation {
  const signs = randomSigns(width, seed);
  const isPower = (width & (width - 1)) === 0;
  const [there, back] = isPower ? [hadamard, hadamard] : cosines(width);
  return (row) => {
    there(row);
    for (let i = 0; i < width; i++) row[i] = (row[i] ?? 0) * (signs[i] ?? 0);
    back(row);
  };
}

function randomSigns(width: number, seed: number): Float64Array {
  let state = seed >>> 0;
  const signs = new Float64Array(width).map(() => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state < 2 ** 31 ? -1 : 1;
  });
  signs[0] = 1;
  return signs;
}

/** `x H / √n`, in n log n steps. */
function hadamard(row: Float64Array): void {
  const n = row.length;
  for (let half = 1; half < n; half *= 2) {
    for (let start = 0; start < n; start += 2 * half) {
      for (let i = start; i < start + half; i++) {
        const [a, b] = [row[i] ?? 0, row[i + half] ?? 0];
        row[i] = a + b;
        row[i + half] = a - b;
      }
    }
  }
  const unit = 1 / Math.sqrt(n);
  for (let i = 0; i < n; i++) row[i] = (row[i] ?? 0) * unit;
}

/** `x Cᵀ` and `x C`, C orthonormal (DCT-II). */
function cosines(n: number): readonly [Rotation, Rotation] {
  const matrix = new Float64Array(n * n);
  for (let k = 0; k < n; k++) {
    const unit = Math.sqrt((k === 0 ? 1 : 2) / n);
    for (let i = 0; i < n; i++) matrix[k * n + i] = unit * Math.cos((Math.PI * (i + 0.5) * k) / n);
  }
  const by = (at: (i: number, j: number) => number): Rotation => {
    return (row) => {
      const product = new Float64Array(n);
      for (let j = 0; j < n; j++) {
        for (let i = 0; i < n; i++) product[j] = (product[j] ?? 0) + (row[i] ?? 0) * (matrix[at(i, j)] ?? 0);
      }
      row.set(product);
    };
  };
  return [by((i, j) => j * n + i), by((i, j) => i * n + j)];
}
