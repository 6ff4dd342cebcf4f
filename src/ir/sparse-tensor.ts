/** @file Sparse tensors: what they must be, and the way to dense ones and back. Bits stay what they are. */
import { UnsupportedError } from "../errors.ts";
import { exactBigint } from "./int64.ts";
import { bytesOfTensor, numbersOf, type SparseTensor, sizeOf, type Tensor, tensor } from "./tensor.ts";
import { byteLength, dataTypes } from "./types.ts";

/** Bytes that a sparse tensor may stand for. */
export const MAX_DENSE_BYTES = 2 ** 31;

/** What is wrong with a sparse tensor whose data is in memory; `undefined` where nothing is. */
export function sparseProblem({ dims, values, indices }: SparseTensor): string | undefined {
  if (indices.dtype !== "int64") return `its indices are ${indices.dtype}, not int64`;
  if (values.dims.length !== 1) return `its values have rank ${values.dims.length}, not 1`;
  const [count = 0] = values.dims;
  const isLinear = indices.dims.length === 1;
  const fits = isLinear ? indices.dims[0] === count : indices.dims.join() === [count, dims.length].join();
  if (!fits) return `its indices are [${indices.dims.join(", ")}] where [${count}] or [${count}, ${dims.length}] fit`;
  if (!(indices.data instanceof Uint8Array)) return undefined;
  return orderProblem(numbersOf(indices), isLinear ? [sizeOf(dims)] : dims);
}

/** Each index lies in the tensor, behind the one before it. */
function orderProblem(indices: Float64Array, dims: readonly number[]): string | undefined {
  let before = -1;
  for (let i = 0; i < indices.length; i += dims.length) {
    let flat = 0;
    for (const [axis, limit] of dims.entries()) {
      const index = indices[i + axis] ?? -1;
      if (index < 0 || index >= limit) return `its index ${index} lies outside of 0 to ${limit - 1}`;
      flat = flat * limit + index;
    }
    if (flat <= before) return `its index ${i / dims.length} does not lie behind the one before it`;
    before = flat;
  }
  return undefined;
}

/** Whether the elements fill whole bytes, and lie in memory. */
export function hasDenseForm({ values, indices }: SparseTensor): boolean {
  return isWide(values) && values.data instanceof Uint8Array && indices.data instanceof Uint8Array;
}

/** The same numbers with their zeros. The caller has looked for problems. */
export function denseOf(sparse: SparseTensor): Tensor {
  const { dims, values, indices } = sparse;
  const width = widthOf(values);
  const [from, to] = [bytesOfTensor(values), new Uint8Array(byteLength(values.dtype, sizeOf(dims)))];
  const places = numbersOf(indices);
  const lengths = indices.dims.length === 1 ? [sizeOf(dims)] : dims;
  for (let i = 0; i < sizeOf(values.dims); i++) {
    let flat = 0;
    for (const [axis, length] of lengths.entries()) flat = flat * length + (places[i * lengths.length + axis] ?? 0);
    to.set(from.subarray(i * width, (i + 1) * width), flat * width);
  }
  const { preserved: _, ...rest } = values;
  return { ...rest, dims, data: to };
}

/** The elements of which a bit is set, by their places in the flat tensor; a negative zero is one of them. */
export function sparseOf(dense: Tensor): SparseTensor {
  const width = widthOf(dense);
  const bytes = bytesOfTensor(dense);
  const count = countOf(bytes, width);
  const kept = new Uint8Array(count * width);
  const indices = new BigInt64Array(count);
  let found = 0;
  for (let i = 0; i < bytes.length; i += width) {
    if (!hasBit(bytes, i, width)) continue;
    kept.set(bytes.subarray(i, i + width), found * width);
    indices[found++] = exactBigint(i / width);
  }
  const { preserved: _, ...rest } = dense;
  return {
    dims: dense.dims,
    values: { ...rest, dims: [count], data: kept },
    indices: tensor("int64", [count], indices),
  };
}

/** Bytes of a tensor, and of the sparse one that stands for it. */
export function sparseBytes(dense: Tensor): { readonly dense: number; readonly sparse: number } {
  const width = widthOf(dense);
  const bytes = bytesOfTensor(dense);
  return { dense: bytes.length, sparse: countOf(bytes, width) * (width + BigInt64Array.BYTES_PER_ELEMENT) };
}

function countOf(bytes: Uint8Array, width: number): number {
  let count = 0;
  for (let i = 0; i < bytes.length; i += width) if (hasBit(bytes, i, width)) count++;
  return count;
}

function hasBit(bytes: Uint8Array, from: number, width: number): boolean {
  for (let i = from; i < from + width; i++) if (bytes[i] !== 0) return true;
  return false;
}

function isWide({ dtype }: Tensor): boolean {
  return dtype !== "string" && Number.isInteger(dataTypes[dtype].bits / 8);
}

function widthOf(of: Tensor): number {
  if (isWide(of)) return dataTypes[of.dtype].bits / 8;
  throw new UnsupportedError(`tensors of ${of.dtype} have no sparse form`);
}
