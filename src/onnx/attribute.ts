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
  /** Whether the message holds a payload of this type. */
  has(proto: AttributeProto): boolean;
  /** `undefined` when a payload that cannot be empty is missing. */
  decode(proto: AttributeProto, where: string, graph: DecodeGraph): Payload<T> | typeof MISSING;
  encode(proto: AttributeProto, value: Payload<T>, graph: EncodeGraph): void;
}

const MISSING = Symbol("missing");

function own(key: keyof AttributeProto): (proto: AttributeProto) => boolean {
  return (proto) => Object.hasOwn(proto, key) && proto[key] !== undefined;
}

function filled(
  key: "floats" | "ints" | "strings" | "tensors" | "graphs" | "typeProtos" | "sparseTensors",
): (proto: AttributeProto) => boolean {
  return (proto) => proto[key].length > 0;
}

const kinds: { readonly [T in Type]: Kind<T> } = {
  float: {
    code: 1,
    has: own("f"),
    decode: (proto) => proto.f,
    encode: (proto, value) => {
      proto.f = value;
    },
  },
  int: {
    code: 2,
    has: own("i"),
    decode: (proto) => proto.i,
    encode: (proto, value) => {
      proto.i = value;
    },
  },
  string: {
    code: 3,
    has: own("s"),
    decode: (proto) => proto.s,
    encode: (proto, value) => {
      proto.s = value;
    },
  },
  tensor: {
    code: 4,
    has: own("t"),
    decode: (proto, where) => (proto.t ? decodeTensor(proto.t, where) : MISSING),
    encode: (proto, value) => {
      proto.t = encodeTensor(value);
    },
  },
  graph: {
    code: 5,
    has: own("g"),
    decode: (proto, _where, graph) => (proto.g ? graph(proto.g) : MISSING),
    encode: (proto, value, graph) => {
      proto.g = graph(value);
    },
  },
  floats: {
    code: 6,
    has: filled("floats"),
    decode: (proto) => proto.floats,
    encode: (proto, value) => {
      proto.floats = [...value];
    },
  },
  ints: {
    code: 7,
    has: filled("ints"),
    decode: (proto) => proto.ints,
    encode: (proto, value) => {
      proto.ints = [...value];
    },
  },
  strings: {
    code: 8,
    has: filled("strings"),
    decode: (proto) => proto.strings,
    encode: (proto, value) => {
      proto.strings = [...value];
    },
  },
  tensors: {
    code: 9,
    has: filled("tensors"),
    decode: (proto, where) => proto.tensors.map((tensor) => decodeTensor(tensor, where)),
    encode: (proto, value) => {
      proto.tensors = value.map((tensor) => encodeTensor(tensor));
    },
  },
  graphs: {
    code: 10,
    has: filled("graphs"),
    decode: (proto, _where, graph) => proto.graphs.map(graph),
    encode: (proto, value, graph) => {
      proto.graphs = value.map(graph);
    },
  },
  "sparse-tensor": {
    code: 11,
    has: own("sparseTensor"),
    decode: (proto, where) => (proto.sparseTensor ? decodeSparse(proto.sparseTensor, where) : MISSING),
    encode: (proto, value) => {
      proto.sparseTensor = encodeSparse(value);
    },
  },
  "sparse-tensors": {
    code: 12,
    has: filled("sparseTensors"),
    decode: (proto, where) => proto.sparseTensors.map((sparse) => decodeSparse(sparse, where)),
    encode: (proto, value) => {
      proto.sparseTensors = value.map((sparse) => encodeSparse(sparse));
    },
  },
  type: {
    code: 13,
    has: own("tp"),
    decode: (proto) => decodeType(proto.tp).type,
    encode: (proto, value) => {
      const type = encodeType(value, proto.tp);
      if (type) proto.tp = type;
      else delete proto.tp;
    },
  },
  types: {
    code: 14,
    has: filled("typeProtos"),
    decode: (proto) => proto.typeProtos.map((type) => decodeType(type).type),
    encode: (proto, value) => {
      const kept = proto.typeProtos;
      proto.typeProtos = value.flatMap((type, i) => encodeType(type, kept[i]) ?? []);
    },
  },
};

const typeByCode = new Map(Object.entries(kinds).map(([type, { code }]) => [code, type as Type]));

/** The attribute, and the message that must be kept because the IR does not say all of it. */
export function decodeAttribute(
  proto: AttributeProto,
  where: string,
  graph: DecodeGraph,
): { readonly attribute: Attribute; readonly kept?: AttributeProto } {
  const type = typeOf(proto, where);
  if (Object.hasOwn(proto, "refAttrName") && proto.refAttrName !== "") {
    return { attribute: { type: "reference", to: proto.refAttrName, of: type }, ...keptOf(proto, undefined) };
  }
  const value = kinds[type].decode(proto, where, graph);
  if (value === MISSING) throw new FormatError("an attribute has no value", { expected: type, where });
  return { attribute: { type, value } as Attribute, ...keptOf(proto, type) };
}

/** Files of IR version 1 state no type; then the payload tells. */
function typeOf(proto: AttributeProto, where: string): Type {
  const stated = typeByCode.get(proto.type);
  if (stated) return stated;
  const found = (Object.keys(kinds) as Type[]).find((type) => kinds[type].has(proto));
  if (found && proto.type === 0) return found;
  throw new FormatError("an attribute has no type that is known", {
    expected: "a code from 1 to 14",
    got: `${proto.type}`,
    where,
  });
}

function keptOf(proto: AttributeProto, type: Type | undefined): { kept?: AttributeProto } {
  const stray = (Object.keys(kinds) as Type[]).some((other) => other !== type && kinds[other].has(proto));
  const inexact =
    (type === "type" || type === "types") && ![proto.tp, ...proto.typeProtos].every((t) => decodeType(t).exact);
  if (!stray && !inexact && !Object.hasOwn(proto, "docString") && !proto.$unknown) return {};
  return { kept: proto };
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
