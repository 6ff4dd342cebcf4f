/** @file TensorProto and SparseTensorProto ↔ Tensor and SparseTensor. Raw data is a view of the file. */
import { create } from "@bufbuild/protobuf";
import { FormatError, LimitError } from "../errors.ts";
import {
  byteLength,
  type DataType,
  dataTypes,
  type ExternalReference,
  exactBigint,
  MAX_DENSE_BYTES,
  type SparseTensor,
  sizeOf,
  sparseProblem,
  type Tensor,
} from "../ir/index.ts";
import {
  decodeEntries,
  docStringOf,
  encodeEntries,
  metadataOf,
  preserving,
  safeInteger,
  type UnknownFields,
  unknownOf,
  withUnknown,
} from "./entries.ts";
import { decodeReference } from "./location.ts";
import {
  type SparseTensorProto,
  SparseTensorProtoSchema,
  type StringStringEntryProto,
  type TensorProto,
  TensorProtoSchema,
} from "./schema/onnx_pb.ts";
import { rawFromTypedData } from "./typed-data.ts";
import { dataTypeOf } from "./value-type.ts";

export const EXTERNAL = 1;

export interface PreservedTensor {
  /** Of a tensor that is not an initializer, whose name is its value's. */
  readonly name?: string;
  /** External data entries of a tensor whose data is inside. */
  readonly entries?: readonly StringStringEntryProto[];
  readonly unknown?: UnknownFields;
}

export interface PreservedSparse {
  readonly unknown?: UnknownFields;
}

/** Throws `FormatError` when the data does not fill the dims, `LimitError` when their product is out of range. */
export function decodeTensor(proto: TensorProto, where: string, isInitializer = false): Tensor {
  const dtype = dataTypeOf(proto.dataType);
  if (!dtype) {
    throw new FormatError("a tensor has an unknown data type", {
      expected: "a code from 1 to 26",
      got: `${proto.dataType}`,
      where,
    });
  }
  if (proto.segment) throw new FormatError("a tensor is a segment of a larger one", { where });
  const dims = decodeDims(proto.dims, where);
  const { data, rest } = decodeData(proto, dtype, sizeOf(dims), where);
  const preserved: PreservedTensor = {
    ...(isInitializer || !Object.hasOwn(proto, "name") ? {} : { name: proto.name }),
    ...(isReference(data) || proto.externalData.length === 0 ? {} : { entries: proto.externalData }),
    ...(rest.length > 0 ? { unknown: rest } : {}),
  };
  return { dtype, dims, data, ...docStringOf(proto), ...metadataOf(proto), ...preserving(preserved) };
}

export function isReference(data: Tensor["data"]): data is ExternalReference {
  return "location" in data;
}

function decodeDims(dims: readonly bigint[], where: string): number[] {
  const lengths = dims.map((dim) => safeInteger(dim, where));
  const negative = lengths.find((length) => length < 0);
  if (negative !== undefined) {
    throw new FormatError("a dim of a tensor is negative", { got: `[${lengths.join(", ")}]`, where });
  }
  const positive = lengths.filter((length) => length > 0);
  if (!Number.isSafeInteger(sizeOf(positive) * 16)) {
    throw new LimitError("the dims of a tensor multiply to more than 2^49 elements", {
      got: `[${lengths.join(", ")}]`,
      where,
    });
  }
  return lengths;
}

function decodeData(
  proto: TensorProto,
  dtype: DataType,
  count: number,
  where: string,
): { readonly data: Tensor["data"]; readonly rest: UnknownFields } {
  const rest = proto.$unknown ?? [];
  if (proto.dataLocation === EXTERNAL) return { data: external(proto, dtype, count, where), rest };
  if (proto.dataLocation !== 0) {
    throw new FormatError("a tensor's data is in an unknown place", { got: `${proto.dataLocation}`, where });
  }
  if (dtype === "string") {
    if (proto.stringData.length !== count) throw wrongSize(`${count} strings`, `${proto.stringData.length}`, where);
    return { data: proto.stringData, rest };
  }
  const raw = proto.rawData;
  if (raw.length === 0 && count > 0) return rawFromTypedData(rest, dtype, count, where);
  const expected = byteLength(dtype, count);
  if (raw.length !== expected) throw wrongSize(`${expected} bytes of ${dtype}`, `${raw.length} bytes`, where);
  return { data: raw, rest };
}

function external(proto: TensorProto, dtype: DataType, count: number, where: string): ExternalReference {
  if (dtype === "string") throw new FormatError("a string tensor cannot have external data", { where });
  if (proto.rawData.length > 0) throw new FormatError("a tensor has data both inside and outside the file", { where });
  const reference = decodeReference(proto.externalData, where);
  const expected = byteLength(dtype, count);
  if (reference.length !== undefined && reference.length !== expected) {
    throw wrongSize(`${expected} bytes of ${dtype}`, `an external length of ${reference.length}`, where);
  }
  return reference;
}

function wrongSize(expected: string, got: string, where: string): FormatError {
  return new FormatError("a tensor's data does not fill its dims", { expected, got, where });
}

/** `withData: false` leaves the raw bytes out, for a writer that puts them there itself. */
export function encodeTensor(tensor: Tensor, name?: string, withData = true): TensorProto {
  const { name: keptName, entries, unknown }: PreservedTensor = tensor.preserved ?? {};
  const proto = withUnknown(create(TensorProtoSchema), unknown);
  proto.dims = tensor.dims.map((dim) => exactBigint(dim));
  proto.dataType = dataTypes[tensor.dtype].code;
  const ownName = name ?? keptName;
  if (ownName !== undefined) proto.name = ownName;
  if (tensor.docString !== undefined) proto.docString = tensor.docString;
  if (tensor.metadata) proto.metadataProps = encodeEntries(tensor.metadata);
  if (entries) proto.externalData = encodeEntries(decodeEntries(entries));
  if (tensor.data instanceof Uint8Array) {
    if (withData) proto.rawData = tensor.data;
  } else if (isReference(tensor.data)) fillReference(proto, tensor.data);
  else proto.stringData = [...tensor.data];
  return proto;
}

function fillReference(proto: TensorProto, { location, offset, length, checksum }: ExternalReference): void {
  const fields: [string, string][] = [
    ["location", location],
    ["offset", `${offset}`],
  ];
  if (length !== undefined) fields.push(["length", `${length}`]);
  if (checksum !== undefined) fields.push(["checksum", checksum]);
  proto.externalData = encodeEntries(fields);
  proto.dataLocation = EXTERNAL;
}

/**
 * Indices are flat or coordinates, ascending and each once.
 *
 * @throws FormatError for what is none; LimitError when the dense tensor would be too large
 */
export function decodeSparse(proto: SparseTensorProto, where: string, isInitializer = false): SparseTensor {
  if (!proto.values || !proto.indices) {
    throw new FormatError("a sparse tensor lacks its values or indices", { where });
  }
  const sparse: SparseTensor = {
    dims: decodeDims(proto.dims, where),
    values: decodeTensor(proto.values, `${where}, values`, isInitializer),
    indices: decodeTensor(proto.indices, `${where}, indices`),
    ...preserving<PreservedSparse>(unknownOf(proto)),
  };
  const problem = sparseProblem(sparse);
  if (problem !== undefined) throw new FormatError("a sparse tensor is malformed", { got: problem, where });
  const bytes = byteLength(sparse.values.dtype, sizeOf(sparse.dims));
  if (bytes <= MAX_DENSE_BYTES) return sparse;
  throw new LimitError("a sparse tensor stands for too large a dense one", {
    expected: `at most ${MAX_DENSE_BYTES} bytes`,
    got: `${bytes}`,
    where,
  });
}

export function encodeSparse(sparse: SparseTensor, name?: string): SparseTensorProto {
  const { unknown }: PreservedSparse = sparse.preserved ?? {};
  const proto = withUnknown(create(SparseTensorProtoSchema), unknown);
  proto.dims = sparse.dims.map((dim) => exactBigint(dim));
  proto.values = encodeTensor(sparse.values, name);
  proto.indices = encodeTensor(sparse.indices);
  return proto;
}
