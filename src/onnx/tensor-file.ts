/** @file Files that hold one tensor, sequence or optional, as the ONNX test data do. */
import { fromBinary } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { FormatError, LimitError, LitheError, UnsupportedError } from "../errors.ts";
import type { Tensor } from "../ir/index.ts";
import { type Limits, limitsFrom } from "./limits.ts";
import { scanMessage } from "./scan.ts";
import { TensorProtoSchema } from "./schema/onnx_pb.ts";
import { decodeTensor } from "./tensor.ts";

export interface TensorSequence {
  readonly items: readonly FileValue[];
}

/** An optional without a value. */
export interface NoValue {
  readonly empty: true;
}

export type FileValue = Tensor | TensorSequence | NoValue;

/** The fields of SequenceProto and OptionalProto, which number them alike. */
const TENSOR = 3;
const SEQUENCE = 5;
const OPTIONAL = 7;

/** Reads a serialized TensorProto; the data are a view of `bytes`. */
export function decodeTensorFile(bytes: Uint8Array, limits: Partial<Limits> = {}): Tensor {
  const all = limitsFrom(limits);
  scanMessage(TensorProtoSchema, bytes, all);
  return named(() => decodeTensor(fromBinary(TensorProtoSchema, bytes, { recursionLimit: all.depth }), "the file"));
}

/** Reads a serialized SequenceProto of tensors, sequences or optionals. */
export function decodeSequenceFile(bytes: Uint8Array, limits: Partial<Limits> = {}): TensorSequence {
  return { items: decodeItems(bytes, limits, limitsFrom(limits).depth) };
}

/** Reads a serialized OptionalProto. */
export function decodeOptionalFile(bytes: Uint8Array, limits: Partial<Limits> = {}): FileValue {
  return decodeItems(bytes, limits, limitsFrom(limits).depth)[0] ?? { empty: true };
}

function decodeItems(bytes: Uint8Array, limits: Partial<Limits>, depth: number): FileValue[] {
  if (depth <= 0) throw new LimitError("sequences lie too deep inside one another");
  const items: FileValue[] = [];
  for (const { field, value } of named(() => lengthDelimited(bytes))) {
    if (field === TENSOR) items.push(decodeTensorFile(value, limits));
    else if (field === SEQUENCE) items.push({ items: decodeItems(value, limits, depth - 1) });
    else if (field === OPTIONAL) items.push(decodeItems(value, limits, depth - 1)[0] ?? { empty: true });
    else if (field > TENSOR) throw new UnsupportedError("a sequence of sparse tensors or maps is not read");
  }
  return items;
}

interface Part {
  readonly field: number;
  readonly value: Uint8Array;
}

/** The fields with bytes in them, in order; `name` and the numbers are passed over. */
function lengthDelimited(bytes: Uint8Array): Part[] {
  const reader = new BinaryReader(bytes);
  const parts: Part[] = [];
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (wireType === WireType.LengthDelimited) parts.push({ field, value: reader.bytes() });
    else reader.skip(wireType, field);
  }
  return parts;
}

function named<T>(work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (cause instanceof LitheError) throw cause;
    throw new FormatError("the bytes are not a tensor file", { got: String(cause), cause });
  }
}
