/** @file When dims are certainly the same. */
import { type Dim, type Dims, sameDim } from "../../ir/index.ts";

export function surelyEqual(a: Dim, b: Dim): boolean {
  return sameDim(a, b);
}

export function equalDims(a: Dims | undefined, b: Dims | undefined): boolean {
  return !!a && !!b && a.length === b.length && a.every((dim, i) => sameDim(dim, b[i]!));
}
