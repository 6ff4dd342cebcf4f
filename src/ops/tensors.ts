/** @file Small constants as numbers. */
import { numbersOf, sizeOf, type Tensor } from "../ir/index.ts";
import { SYMBOL_LIMIT } from "./spec.ts";

/** The elements of a small scalar, vector or matrix; nothing for strings and for data that was not loaded. */
export function numbersIn(tensor: Tensor): readonly number[] | undefined {
  const numeric = tensor.data instanceof Uint8Array && !tensor.dtype.startsWith("complex");
  if (!numeric || tensor.dims.length > 2 || sizeOf(tensor.dims) > SYMBOL_LIMIT) return undefined;
  return [...numbersOf(tensor)];
}
