/** @file Sparse tensors made dense. */

import { sizeOf } from "../ir/index.ts";
import { bounded, type Dense, numbers, select } from "./dense.ts";
import { stridesOf } from "./indexing.ts";

/** Values at flat indices `[nnz]` or coordinates `[nnz, rank]`, zero elsewhere. */
export function sparseToDense(dims: readonly number[], values: Dense, indices: Dense): Dense {
  const strides = indices.dims.length === 1 ? [1] : stridesOf(dims);
  const coordinates = numbers(indices);
  const source = new Int32Array(bounded(sizeOf(dims))).fill(-1);
  for (let i = 0; i < sizeOf(values.dims); i++) {
    const flat = strides.reduce((sum, stride, axis) => sum + stride * coordinates[i * strides.length + axis]!, 0);
    source[flat] = i;
  }
  return select(values, dims, source);
}
