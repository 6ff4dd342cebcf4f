/** @file Whether computed values are the expected ones, within the tolerance of a case. */
import { dataTypes, numbersOf, stringsOf, type Tensor, typedArray } from "../../src/ir/index.ts";
import type { FileValue } from "../../src/onnx/tensor-file.ts";
import type { Case } from "./cases.ts";

type Tolerance = Pick<Case, "relative" | "absolute">;

/** Two steps of bfloat16, as in ONNX's runner. */
const BFLOAT16_RELATIVE = 2 ** -6;

/** Why `got` is not `expected`, or `undefined` when it is. */
export function difference(expected: FileValue, got: FileValue, tolerance: Tolerance): string | undefined {
  if ("empty" in expected || "empty" in got) {
    return "empty" in expected && "empty" in got ? undefined : "one of the two is an empty optional";
  }
  if ("items" in expected) {
    if (!("items" in got)) return "is not a sequence";
    if (got.items.length !== expected.items.length) return `${got.items.length} items, not ${expected.items.length}`;
    const differences = expected.items.map((item, i) => difference(item, got.items[i]!, tolerance));
    return differences.find((found) => found !== undefined);
  }
  if ("items" in got) return "is a sequence";
  return tensorDifference(expected, got, tolerance);
}

function tensorDifference(expected: Tensor, got: Tensor, { relative, absolute }: Tolerance): string | undefined {
  if (got.dtype !== expected.dtype) return `dtype ${got.dtype}, not ${expected.dtype}`;
  if (`${got.dims}` !== `${expected.dims}`) return `dims [${got.dims}], not [${expected.dims}]`;
  if (got.dtype === "string") {
    return `${stringsOf(got)}` === `${stringsOf(expected)}` ? undefined : "strings differ";
  }
  if (got.dtype === "int64" || got.dtype === "uint64") {
    const wanted = typedArray(expected);
    return typedArray(got).every((value, i) => value === wanted[i]) ? undefined : "integers differ";
  }
  const [a, b] = [numbersOf(got), numbersOf(expected)];
  const scale = got.dtype === "bfloat16" ? Math.max(relative, BFLOAT16_RELATIVE) : relative;
  const exact = dataTypes[got.dtype].kind !== "float";
  const off = a.findIndex((value, i) => !close(value, b[i]!, exact ? 0 : absolute, exact ? 0 : scale));
  return off < 0 ? undefined : `element ${off} is ${a[off]}, not ${b[off]}`;
}

function close(value: number, expected: number, absolute: number, relative: number): boolean {
  if (Object.is(value, expected) || value === expected) return true;
  return Math.abs(value - expected) <= absolute + relative * Math.abs(expected);
}
