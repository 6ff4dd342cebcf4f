/** @file AttributeProto ↔ Attribute: one entry per type in `kinds`, both directions side by side. */
import { create } from "@bufbuild/protobuf";
import { FormatError } from "../errors.ts";
import type { Attribute, Graph } from "../ir/index.ts";
import { type AttributeProto, AttributeProtoSchema, type GraphProto } from "./schema/onnx_pb.ts";
import { decodeSparse, decodeTensor, encodeSparse, encodeTensor } from "./tensor.ts";
import { decodeType, encodeType } from "./value-type.ts";

/** How attributes reach the graphs inside them. */
export type DecodeGraph = (proto: GraphProto) => Graph;
export type EncodeGraph = (graph: Graph) => GraphProto;

type Plain = Exclude<Attribute, { type: "reference" }>;
type Type = Plain["type"];
type Payload<T extends Type> = Extract<Plain, { type: T }>["value"];

interface Kind<T extends Type> {
  readonly code: number;
  /** The field that holds the payload. */
  readonly key: PayloadKey;
  decode(proto: AttributeProto, where: string, graph: DecodeGraph): Payload<T> | typeof MISSING;
  encode(proto: AttributeProto, value: Payload<T>, graph: EncodeGraph): void;
}

type PayloadKey = Exclude<
  keyof AttributeProto,
  "name" | "docString" | "type" | "refAttrName" | "$typeName" | "$unknown"
>;

const MISSING = Symbol("missing");

const kinds: { readonly [T in Type]: Kind<T> } = {
  float: {
    code: 1,
    key: "f",
    decode: (proto) => proto.f,
    encode: (proto, value) => {
      proto.f = value;
    },
  },
  int: {
    code: 2,
    key: "i",
    decode: (proto) => proto.i,
    encode: (proto, value) => {
      proto.i = value;
    },
  },
  string: {
    code: 3,
    key: "s",
    decode: (proto) => proto.s,
    encode: (proto, value) => {
      proto.s = value;
    },
  },
  tensor: {
    code: 4,
    key: "t",
    decode: (proto, where) => (proto.t ? decodeTensor(proto.t, where) : MISSING),
    encode: (proto, value) => {
      proto.t = encodeTensor(value);
    },
  },
  graph: {
    code: 5,
    key: "g",
    decode: (proto, _where, graph) => (proto.g ? graph(proto.g) : MISSING),
    encode: (proto, value, graph) => {
      proto.g = graph(value);
    },
  },
  floats: {
    code: 6,
    key: "floats",
    decode: (proto) => proto.floats,
    encode: (proto, value) => {
      proto.floats = [...value];
    },
  },
  ints: {
    code: 7,
    key: "ints",
    decode: (proto) => proto.ints,
    encode: (proto, value) => {
      proto.ints = [...value];
    },
  },
  strings: {
    code: 8,
    key: "strings",
    decode: (proto) => proto.strings,
    encode: (proto, value) => {
      proto.strings = [...value];
    },
  },
  tensors: {
    code: 9,
    key: "tensors",
    decode: (proto, where) => proto.tensors.map((tensor) => decodeTensor(tensor, where)),
    encode: (proto, value) => {
      proto.tensors = value.map((tensor) => encodeTensor(tensor));
    },
  },
  graphs: {
    code: 10,
    key: "graphs",
    decode: (proto, _where, graph) => proto.graphs.map(graph),
    encode: (proto, value, graph) => {
      proto.graphs = value.map(graph);
    },
  },
  "sparse-tensor": {
    code: 11,
    key: "sparseTensor",
    decode: (proto, where) => (proto.sparseTensor ? decodeSparse(proto.sparseTensor, where) : MISSING),
    encode: (proto, value) => {
      proto.sparseTensor = encodeSparse(value);
    },
  },
  "sparse-tensors": {
    code: 12,
    key: "sparseTensors",
    decode: (proto, where) => proto.sparseTensors.map((sparse) => decodeSparse(sparse, where)),
    encode: (proto, value) => {
      proto.sparseTensors = value.map((sparse) => encodeSparse(sparse));
    },
  },
  type: {
    code: 13,
    key: "tp",
    decode: (proto) => decodeType(proto.tp).type,
    encode: (proto, value) => {
      const type = encodeType(value, proto.tp);
      if (type) proto.tp = type;
      else delete proto.tp;
    },
  },
  types: {
    code: 14,
    key: "typeProtos",
    decode: (proto) => proto.typeProtos.map((type) => decodeType(type).type),
    encode: (proto, value) => {
      const kept = proto.typeProtos;
      proto.typeProtos = value.flatMap((type, i) => encodeType(type, kept[i]) ?? []);
    },
  },
};

const allTypes = Object.keys(kinds) as Type[];
const typeByCode = new Map(Object.entries(kinds).map(([type, { code }]) => [code, type as Type]));

/** The attribute, and the message that must be kept because the IR does not say all of it. */
export function decodeAttribute(
  proto: AttributeProto,
  where: string,
  graph: DecodeGraph,
): { readonly attribute: Attribute; readonly kept?: AttributeProto } {
  const type = typeOf(proto, where);
  if (Object.hasOwn(proto, "refAttrName") && proto.refAttrName !== "") {
    return { attribute: { type: "reference", to: proto.refAttrName, of: type }, ...keptOf(proto, type, true) };
  }
  const value = kinds[type].decode(proto, where, graph);
  if (value === MISSING) throw new FormatError("an attribute has no value", { expected: type, where });
  return { attribute: { type, value } as Attribute, ...keptOf(proto, type, false) };
}

/** Files of IR version 1 state no type; then the payload tells. */
function typeOf(proto: AttributeProto, where: string): Type {
  const stated = typeByCode.get(proto.type);
  if (stated) return stated;
  const found = allTypes.find((type) => holds(proto, kinds[type].key));
  if (found && proto.type === 0) return found;
  throw new FormatError("an attribute has no type that is known", {
    expected: "a code from 1 to 14",
    got: `${proto.type}`,
    where,
  });
}

/** A copy without the payload of `type`, when anything but that payload is left to keep. */
function keptOf(proto: AttributeProto, type: Type, isReference: boolean): { kept?: AttributeProto } {
  const stray = allTypes.some((other) => (isReference || other !== type) && holds(proto, kinds[other].key));
  const isType = !isReference && (type === "type" || type === "types");
  const inexact = isType && ![proto.tp, ...proto.typeProtos].every((item) => decodeType(item).exact);
  if (!stray && !inexact && !Object.hasOwn(proto, "docString") && !proto.$unknown) return {};
  const kept = Object.assign(create(AttributeProtoSchema), proto);
  kept.name = proto.name;
  kept.type = kinds[type].code;
  if (!isReference && !isType) clear(kept, kinds[type].key);
  return { kept };
}

function holds(proto: AttributeProto, key: PayloadKey): boolean {
  const payload = proto[key];
  return Array.isArray(payload) ? payload.length > 0 : Object.hasOwn(proto, key) && payload !== undefined;
}

function clear(proto: AttributeProto, key: PayloadKey): void {
  if (Array.isArray(proto[key])) Object.assign(proto, { [key]: [] });
  else delete (proto as Partial<AttributeProto>)[key];
}

/** Over a copy of `kept`, so that what the IR does not say stays. */
export function encodeAttribute(
  name: string,
  attribute: Attribute,
  kept: AttributeProto | undefined,
  graph: EncodeGraph,
): AttributeProto {
  const proto = Object.assign(create(AttributeProtoSchema), kept);
  proto.name = name;
  const type = attribute.type === "reference" ? attribute.of : attribute.type;
  proto.type = kinds[type].code;
  if (attribute.type === "reference") proto.refAttrName = attribute.to;
  else (kinds[type] as Kind<Type>).encode(proto, attribute.value, graph);
  return proto;
}
