/** @file Equality of types and of whole models, by structure and names. */
import type { ValueType } from "./types.ts";

/** Whether two types say the same, names of symbolic dims included. */
export function sameValueType(a: ValueType | undefined, b: ValueType | undefined): boolean {
  if (a === b) return true;
  if (!a || !b) return false;
  if (a.kind === "map") return b.kind === "map" && a.key === b.key && sameValueType(a.value, b.value);
  if (a.kind === "sequence" || a.kind === "optional") return a.kind === b.kind && sameValueType(a.element, b.element);
  if (a.kind !== b.kind || a.dtype !== b.dtype) return false;
  if (a.dims === undefined || b.dims === undefined) return a.dims === b.dims;
  const other = b.dims;
  return a.dims.length === other.length && a.dims.every((dim, i) => dim === other[i]);
}
