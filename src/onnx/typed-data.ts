/** @file The typed data fields of a tensor (`float_data` and its kin), turned into raw little-endian bytes. */

import { WireType } from "@bufbuild/protobuf/wire";
import { nth } from "../checked.ts";
import { FormatError } from "../errors.ts";
import { byteLength, type DataType } from "../ir/index.ts";
import { countVarints } from "./scan.ts";
import type { TensorProto } from "./schema/onnx_pb.ts";

export type UnknownFields = NonNullable<TensorProto["$unknown"]>;

interface TypedField {
  /** Field number in TensorProto. */
  readonly field: number;
  /** Bytes that one entry of the field becomes. */
  readonly width: 1 | 2 | 4 | 8;
  readonly encoding: "fixed" | "varint";
}

const floatData = { field: 4, width: 4, encoding: "fixed" } as const;
const doubleData = { field: 10, width: 8, encoding: "fixed" } as const;
const byteInInt32 = { field: 5, width: 1, encoding: "varint" } as const;
const pairInInt32 = { field: 5, width: 2, encoding: "varint" } as const;

/** Where each dtype's elements lie when they are not in `raw_data`; an entry of a type below 8 bits holds a packed byte. */
const typedFields = {
  float32: floatData,
  complex64: floatData,
  float64: doubleData,
  complex128: doubleData,
  int32: { field: 5, width: 4, encoding: "varint" },
  int64: { field: 7, width: 8, encoding: "varint" },
  uint32: { field: 11, width: 4, encoding: "varint" },
  uint64: { field: 11, width: 8, encoding: "varint" },
  int16: pairInInt32,
  uint16: pairInInt32,
  float16: pairInInt32,
  bfloat16: pairInInt32,
  int8: byteInInt32,
  uint8: byteInInt32,
  bool: byteInInt32,
  float8e4m3fn: byteInInt32,
  float8e4m3fnuz: byteInInt32,
  float8e5m2: byteInInt32,
  float8e5m2fnuz: byteInInt32,
  float8e8m0: byteInInt32,
  float4e2m1: byteInInt32,
  uint4: byteInInt32,
  int4: byteInInt32,
  uint2: byteInInt32,
  int2: byteInInt32,
} satisfies Record<Exclude<DataType, "string">, TypedField>;

/** The raw bytes of a tensor of `count` elements whose data is in its typed field, and the unknown fields that remain. */
export function rawFromTypedData(
  unknown: UnknownFields,
  dtype: Exclude<DataType, "string">,
  count: number,
  where: string,
): { readonly data: Uint8Array; readonly rest: UnknownFields } {
  const { field, width, encoding }: TypedField = typedFields[dtype];
  const own = unknown.filter(({ no }) => no === field);
  const payload = joined(own.map(payloadOf));
  const expected = byteLength(dtype, count);
  const stored = encoding === "fixed" ? payload.length : countVarints(payload, 0, payload.length) * width;
  if (stored !== expected) {
    throw new FormatError("a tensor's data does not fill its dims", {
      expected: `${expected} bytes of ${dtype}`,
      got: `${Math.max(0, stored)} bytes`,
      where,
    });
  }
  const data = encoding === "fixed" ? payload : unpackedVarints(payload, expected / width, width);
  return { data, rest: unknown.filter(({ no }) => no !== field) };
}

/** The bytes of an occurrence: without their length when packed, the single element otherwise. */
function payloadOf({ wireType, data }: UnknownFields[number]): Uint8Array {
  if (wireType !== WireType.LengthDelimited) return data;
  let start = 0;
  while (data[start]! >= 0x80) start++;
  return data.subarray(start + 1);
}

function joined(chunks: readonly Uint8Array[]): Uint8Array {
  if (chunks.length === 1) return nth(chunks, 0);
  const all = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let offset = 0;
  for (const chunk of chunks) {
    all.set(chunk, offset);
    offset += chunk.length;
  }
  return all;
}

/** Little-endian integers of `width` bytes from the varints in `payload`; bits beyond the width are dropped, as C++ does. */
function unpackedVarints(payload: Uint8Array, entries: number, width: number): Uint8Array {
  const data = new Uint8Array(entries * width);
  let position = 0;
  for (let offset = 0; offset < data.length; offset += width) {
    let low = 0;
    let high = 0;
    let byte = 0x80;
    for (let shift = 0; byte >= 0x80; shift += 7) {
      byte = payload[position++]!;
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high = bits >>> 4;
      } else high |= bits << (shift - 32);
    }
    for (let i = 0; i < width; i++) data[offset + i] = i < 4 ? low >>> (8 * i) : high >>> (8 * (i - 4));
  }
  return data;
}
