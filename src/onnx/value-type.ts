/** @file TypeProto ↔ ValueType. */
import { create } from "@bufbuild/protobuf";
import {
  type DataType,
  type Dim,
  type Dims,
  dataTypes,
  exactBigint,
  exactNumber,
  sameValueType,
  UNKNOWN_DIM,
  type ValueType,
} from "../ir/index.ts";
import {
  type TensorShapeProto,
  type TensorShapeProto_Dimension,
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
  type TypeProto,
  TypeProto_MapSchema,
  TypeProto_OptionalSchema,
  TypeProto_SequenceSchema,
  TypeProto_SparseTensorSchema,
  TypeProto_TensorSchema,
  TypeProtoSchema,
} from "./schema/onnx_pb.ts";

const dataTypeByCode = new Map<number, DataType>(
  Object.entries(dataTypes).map(([name, { code }]) => [code, name as DataType]),
);

export function dataTypeOf(code: number): DataType | undefined {
  return dataTypeByCode.get(code);
}

/** What the IR says of a type, and whether that is all (`exact`): denotations and opaque types have no noun. */
export interface DecodedType {
  readonly type: ValueType | undefined;
  readonly exact: boolean;
}

export function decodeType(proto: TypeProto | undefined): DecodedType {
  if (!proto) return { type: undefined, exact: true };
  const decoded = decodeCase(proto.value);
  return { type: decoded.type, exact: decoded.exact && !Object.hasOwn(proto, "denotation") && !proto.$unknown };
}

function decodeCase(value: TypeProto["value"]): DecodedType {
  if (value.case === undefined || value.case === "opaqueType") return { type: undefined, exact: false };
  const known = value.value.$unknown === undefined;
  if (value.case === "tensorType" || value.case === "sparseTensorType") {
    const dtype = dataTypeOf(value.value.elemType);
    if (!dtype) return { type: undefined, exact: false };
    const kind = value.case === "tensorType" ? "tensor" : "sparse-tensor";
    const { dims, exact } = decodeShape(value.value.shape);
    return { type: dims ? { kind, dtype, dims } : { kind, dtype }, exact: exact && known };
  }
  if (value.case === "mapType") {
    const key = dataTypeOf(value.value.keyType);
    const inner = decodeType(value.value.valueType);
    if (!key) return { type: undefined, exact: false };
    return { type: { kind: "map", key, value: inner.type }, exact: inner.exact && known };
  }
  const inner = decodeType(value.value.elemType);
  const kind = value.case === "sequenceType" ? "sequence" : "optional";
  return { type: { kind, element: inner.type }, exact: inner.exact && known };
}

function decodeShape(shape: TensorShapeProto | undefined): { dims?: Dims; exact: boolean } {
  if (!shape) return { exact: true };
  let exact = shape.$unknown === undefined;
  const dims = shape.dim.map((proto) => {
    const dim = decodeDim(proto);
    exact &&= !Object.hasOwn(proto, "denotation") && !proto.$unknown && sameDimCase(proto, dim);
    return dim;
  });
  return { dims, exact };
}

/** A negative or huge length says nothing. */
function decodeDim({ value }: TensorShapeProto_Dimension): Dim {
  if (value.case === "dimParam") return value.value;
  if (value.case !== "dimValue" || value.value < 0n || value.value > Number.MAX_SAFE_INTEGER) return UNKNOWN_DIM;
  return exactNumber(value.value);
}

function sameDimCase({ value }: TensorShapeProto_Dimension, dim: Dim): boolean {
  return dim === UNKNOWN_DIM ? value.case === undefined : true;
}

/** The message for `type`; `kept`, the message that it was read from, when that still says the same. */
export function encodeType(type: ValueType | undefined, kept?: TypeProto): TypeProto | undefined {
  if (kept && sameValueType(decodeType(kept).type, type)) return kept;
  if (!type) return undefined;
  const proto = create(TypeProtoSchema);
  proto.value = encodeCase(type);
  return proto;
}

function encodeCase(type: ValueType): TypeProto["value"] {
  if (type.kind === "map") {
    const value = create(TypeProto_MapSchema);
    value.keyType = dataTypes[type.key].code;
    value.valueType = encodeType(type.value);
    return { case: "mapType", value };
  }
  if (type.kind === "sequence" || type.kind === "optional") {
    const value = create(type.kind === "sequence" ? TypeProto_SequenceSchema : TypeProto_OptionalSchema);
    value.elemType = encodeType(type.element);
    return { case: `${type.kind}Type`, value } as TypeProto["value"];
  }
  const value = create(type.kind === "tensor" ? TypeProto_TensorSchema : TypeProto_SparseTensorSchema);
  value.elemType = dataTypes[type.dtype].code;
  if (type.dims) value.shape = encodeShape(type.dims);
  return { case: type.kind === "tensor" ? "tensorType" : "sparseTensorType", value } as TypeProto["value"];
}

function encodeShape(dims: Dims): TensorShapeProto {
  const shape = create(TensorShapeProtoSchema);
  shape.dim = dims.map(encodeDim);
  return shape;
}

function encodeDim(dim: Dim): TensorShapeProto_Dimension {
  const proto = create(TensorShapeProto_DimensionSchema);
  if (typeof dim === "number") proto.value = { case: "dimValue", value: exactBigint(dim) };
  else if (dim !== UNKNOWN_DIM) proto.value = { case: "dimParam", value: dim };
  return proto;
}
