/** @file Matrix products. */
import { fromEnd, lastOf, nth } from "../checked.ts";
import { ShapeError } from "../errors.ts";
import { floatOf, intOf, maxOf, sizeOf } from "../ir/index.ts";
import { bigints, bounded, type Dense, dense, isBig, numbers } from "./dense.ts";
import { mapped, zipped } from "./elementwise.ts";
import { broadcastDims, broadcastMap, transposed } from "./indexing.ts";
import { type Call, inputOf, type Kernels, optionalInput } from "./kernel.ts";

/** NumPy's matmul: vectors become matrices, leading dims broadcast. */
export function matmul(a: Dense, b: Dense): Dense {
  const left = a.dims.length === 1 ? [1, nth(a.dims, 0)] : a.dims;
  const right = b.dims.length === 1 ? [nth(b.dims, 0), 1] : b.dims;
  const [m, k] = [fromEnd(left, 2), lastOf(left)];
  const [inner, n] = [fromEnd(right, 2), lastOf(right)];
  if (k !== inner) {
    throw new ShapeError("matrices do not fit", { got: `[${a.dims.join(", ")}] and [${b.dims.join(", ")}]` });
  }
  const batch = broadcastDims(left.slice(0, -2), right.slice(0, -2));
  const [fromA, fromB] = [broadcastMap(left.slice(0, -2), batch), broadcastMap(right.slice(0, -2), batch)];
  const shape = { m, k, n };
  const dims = [...batch, ...(a.dims.length === 1 ? [] : [m]), ...(b.dims.length === 1 ? [] : [n])];
  if (isBig(a.dtype)) return bigProduct(a, b, dims, fromA, fromB, shape);
  const [x, y] = [numbers(a), numbers(b)];
  const result = new Float64Array(bounded(sizeOf(batch) * m * n));
  fromA.forEach((matrix, i) => {
    product(x, matrix * m * k, y, fromB[i]! * k * n, result, i * m * n, shape);
  });
  return dense(a.dtype, dims, result);
}

interface Shape {
  readonly m: number;
  readonly k: number;
  readonly n: number;
}

function product(
  a: Float64Array,
  atA: number,
  b: Float64Array,
  atB: number,
  to: Float64Array,
  at: number,
  { m, k, n }: Shape,
): void {
  for (let row = 0; row < m; row++) {
    for (let i = 0; i < k; i++) {
      const value = a[atA + row * k + i]!;
      for (let column = 0; column < n; column++) to[at + row * n + column]! += value * b[atB + i * n + column]!;
    }
  }
}

function bigProduct(
  a: Dense,
  b: Dense,
  dims: readonly number[],
  fromA: Int32Array,
  fromB: Int32Array,
  { m, k, n }: Shape,
): Dense {
  const [x, y] = [bigints(a), bigints(b)];
  const count = fromA.length * m * n;
  const data = a.dtype === "uint64" ? new BigUint64Array(count) : new BigInt64Array(count);
  for (let at = 0; at < count; at++) {
    const [matrix, row, column] = [Math.floor(at / (m * n)), Math.floor(at / n) % m, at % n];
    for (let i = 0; i < k; i++) {
      data[at]! += x[fromA[matrix]! * m * k + row * k + i]! * y[fromB[matrix]! * k * n + i * n + column]!;
    }
  }
  return { dtype: a.dtype, dims, data };
}

/** The array with its last two axes exchanged. */
export function transposedLast(x: Dense): Dense {
  const rank = x.dims.length;
  if (rank < 2) return x;
  return transposed(x, [...Array(rank - 2).keys(), rank - 1, rank - 2]);
}

/** α·op(A)·op(B) + β·C. */
export function gemm(call: Call): Dense {
  const { node } = call;
  const a = intOf(node, "transA", 0) ? transposedLast(inputOf(call, 0)) : inputOf(call, 0);
  const b = intOf(node, "transB", 0) ? transposedLast(inputOf(call, 1)) : inputOf(call, 1);
  const [alpha, beta] = [floatOf(node, "alpha", 1), floatOf(node, "beta", 1)];
  const ab = mapped(matmul(a, b), (value) => alpha * value);
  const c = optionalInput(call, 2);
  return c ? zipped(ab, c, (value, bias) => value + beta * bias) : ab;
}

/** The determinant of the last two axes, by elimination with partial pivoting. */
function determinant(call: Call): Dense {
  const x = inputOf(call, 0);
  const n = lastOf(x.dims);
  const values = numbers(x);
  const batch = x.dims.slice(0, -2);
  const results = Array.from({ length: sizeOf(batch) }, (_, i) => {
    return eliminate(Array.from({ length: n }, (_, r) => [...values.slice((i * n + r) * n, (i * n + r + 1) * n)]));
  });
  return dense(x.dtype, batch, results);
}

function eliminate(rows: number[][]): number {
  let result = 1;
  for (let column = 0; column < rows.length; column++) {
    const below = rows.slice(column).map((row) => Math.abs(nth(row, column)));
    const pivot = column + below.indexOf(maxOf(below));
    if (nth(rows, pivot)[column] === 0) return 0;
    if (pivot !== column) {
      [rows[pivot], rows[column]] = [nth(rows, column), nth(rows, pivot)];
      result = -result;
    }
    const head = nth(rows, column);
    result *= nth(head, column);
    for (const row of rows.slice(column + 1)) {
      const factor = nth(row, column) / nth(head, column);
      for (let i = column; i < row.length; i++) row[i]! -= factor * nth(head, i);
    }
  }
  return result;
}

export const matrixProducts = {
  MatMul: (call) => matmul(inputOf(call, 0), inputOf(call, 1)),
  Gemm: gemm,
  Det: determinant,
} satisfies Kernels;
