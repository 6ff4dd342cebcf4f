/** @file Data types, dims and the types of values. */
import { exactBigint } from "./int64.ts";

/** Every ONNX tensor element type, under the name that its documentation uses. */
export const dataTypes = {
  float32: { code: 1, bits: 32, kind: "float" },
  uint8: { code: 2, bits: 8, kind: "uint" },
  int8: { code: 3, bits: 8, kind: "int" },
  uint16: { code: 4, bits: 16, kind: "uint" },
  int16: { code: 5, bits: 16, kind: "int" },
  int32: { code: 6, bits: 32, kind: "int" },
  int64: { code: 7, bits: 64, kind: "int" },
  string: { code: 8, bits: 0, kind: "string" },
  bool: { code: 9, bits: 8, kind: "bool" },
  float16: { code: 10, bits: 16, kind: "float" },
  float64: { code: 11, bits: 64, kind: "float" },
  uint32: { code: 12, bits: 32, kind: "uint" },
  uint64: { code: 13, bits: 64, kind: "uint" },
  complex64: { code: 14, bits: 64, kind: "complex" },
  complex128: { code: 15, bits: 128, kind: "complex" },
  bfloat16: { code: 16, bits: 16, kind: "float" },
  float8e4m3fn: { code: 17, bits: 8, kind: "float" },
  float8e4m3fnuz: { code: 18, bits: 8, kind: "float" },
  float8e5m2: { code: 19, bits: 8, kind: "float" },
  float8e5m2fnuz: { code: 20, bits: 8, kind: "float" },
  uint4: { code: 21, bits: 4, kind: "uint" },
  int4: { code: 22, bits: 4, kind: "int" },
  float4e2m1: { code: 23, bits: 4, kind: "float" },
  float8e8m0: { code: 24, bits: 8, kind: "float" },
  uint2: { code: 25, bits: 2, kind: "uint" },
  int2: { code: 26, bits: 2, kind: "int" },
} as const satisfies Record<string, { code: number; bits: number; kind: DataKind }>;

export type DataKind = "float" | "int" | "uint" | "bool" | "string" | "complex";
export type DataType = keyof typeof dataTypes;

/** A known length, a symbolic dim such as `"batch"` (equal names are equal lengths), or `UNKNOWN_DIM`. */
export type Dim = number | string;

/** The dim of which nothing is known; never equal to another. */
export const UNKNOWN_DIM = "";

export type Dims = readonly Dim[];

export interface TensorType {
  readonly kind: "tensor" | "sparse-tensor";
  readonly dtype: DataType;
  /** Absent when not even the rank is known. */
  readonly dims?: Dims;
}

export type ValueType =
  | TensorType
  | { readonly kind: "sequence"; readonly element: ValueType | undefined }
  | { readonly kind: "optional"; readonly element: ValueType | undefined }
  | { readonly kind: "map"; readonly key: DataType; readonly value: ValueType | undefined };

/** The least and the greatest integer of a dtype; `bool` holds 0 and 1. */
export function integerRange(dtype: DataType): readonly [least: bigint, greatest: bigint] {
  const { bits, kind } = dataTypes[dtype];
  if (kind === "bool") return [0n, 1n];
  return kind === "int"
    ? [-(1n << exactBigint(bits - 1)), (1n << exactBigint(bits - 1)) - 1n]
    : [0n, (1n << exactBigint(bits)) - 1n];
}

export function tensorType(dtype: DataType, dims?: Dims): TensorType {
  return dims === undefined ? { kind: "tensor", dtype } : { kind: "tensor", dtype, dims };
}

/** Bytes that `count` elements take in ONNX's raw layout (4-bit and 2-bit types are packed). */
export function byteLength(dtype: DataType, count: number): number {
  return Math.ceil((count * dataTypes[dtype].bits) / 8);
}

/** The number of elements, or `undefined` when a dim is not a number. */
export function elementCount(dims: Dims): number | undefined {
  let count = 1;
  for (const dim of dims) {
    if (typeof dim !== "number") return undefined;
    count *= dim;
  }
  return count;
}

/** Whether two dims are certainly equal. */
export function sameDim(a: Dim, b: Dim): boolean {
  return a === b && a !== UNKNOWN_DIM;
}

/** `float32[batch, 3, ?, 224]`; `?` stands for an unknown dim, `float32` alone for an unknown rank. */
export function formatType(type: ValueType | undefined): string {
  if (!type) return "?";
  if (type.kind === "map") return `map(${type.key}, ${formatType(type.value)})`;
  if (type.kind === "sequence" || type.kind === "optional") return `${type.kind}(${formatType(type.element)})`;
  const dims = type.dims ? `[${type.dims.map((d) => (d === UNKNOWN_DIM ? "?" : d)).join(", ")}]` : "";
  return `${type.kind === "sparse-tensor" ? "sparse " : ""}${type.dtype}${dims}`;
}
