/** @file Files with sparse weights: dense in memory, where everything looks for them, and sparse again in the file that is written. */
import { FormatError } from "../errors.ts";
import {
  byteLength,
  denseInitializers,
  type Model,
  sizeOf,
  smallerSparse,
  sparseProblem,
  sparseTensorsOf,
} from "../ir/index.ts";
import type { PreservedModel } from "./decode.ts";
import { checkLimit, type Limits } from "./limits.ts";

/**
 * The model of a file with its sparse weights dense; it keeps in mind that its file has such.
 *
 * @throws FormatError indices that lay beside the file are malformed; LimitError the dense tensors together are too large
 */
export function withDenseWeights(model: Model, limits: Limits): Model {
  const found = sparseTensorsOf(model);
  if (found.length === 0) return model;
  const bytes = found.reduce((sum, { dims, values }) => sum + byteLength(values.dtype, sizeOf(dims)), 0);
  checkLimit(limits, "denseBytes", bytes, "sparse tensors");
  for (const sparse of found) {
    const problem = sparseProblem(sparse);
    if (problem !== undefined) throw new FormatError("a sparse tensor is malformed", { got: problem });
  }
  return { ...denseInitializers(model), preserved: { ...model.preserved, hasSparse: true } };
}

/** What is written of a model: where its file had sparse weights, those that are smaller so are sparse again. */
export function asStored(model: Model): Model {
  const { hasSparse }: PreservedModel = model.preserved ?? {};
  return hasSparse ? smallerSparse(model) : model;
}
