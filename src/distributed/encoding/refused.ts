/** @file What is wrong with bytes that came from another rank. */
import { FormatError } from "../../errors.ts";

/** The error of a message of gradients that cannot be one: nothing of it is used. */
export function refused(what: string, expected: string, got: string | number): FormatError {
  return new FormatError(`a message of gradients ${what}`, { expected, got: String(got) });
}

/** @throws FormatError for a message of any other length */
export function checkBytes(bytes: Uint8Array, expected: number): void {
  if (bytes.length !== expected) throw refused("has the wrong length", `${expected} bytes`, bytes.length);
}

/** A scale or a norm. @throws FormatError for one that is negative or not finite */
export function checkedScale(scale: number): number {
  if (scale >= 0 && Number.isFinite(scale)) return scale;
  throw refused("has a scale that is none", "a finite number of at least 0", scale);
}

/** A value of a gradient. @throws FormatError for one that is not finite */
export function checkedValue(value: number): number {
  if (Number.isFinite(value)) return value;
  throw refused("has a value that is not finite", "a finite number", value);
}

/** The bytes under a view, as numbers in any place. */
export function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}
