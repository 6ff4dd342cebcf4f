/** @file When dims are certainly the same. */
import { nth } from "../../checked.ts";
import { type Dim, type Dims, sameDim } from "../../ir/index.ts";

export function surelyEqual(a: Dim, b: Dim): boolean {
  return sameDim(a, b);
}

export function equalDims(a: Dims | undefined, b: Dims | undefined): boolean {
  return !!a && !!b && a.length === b.length && a.every((dim, i) => sameDim(dim, nth(b, i)));
}
