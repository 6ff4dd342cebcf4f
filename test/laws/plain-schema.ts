/**
 * @file ONNX files read by a schema that declares every field, the typed data fields included, and made comparable:
 * defaults are left out, order that means nothing is sorted, each tensor's data is raw bytes. It shares no code with the
 * codec's own reading of tensors.
 */
import { clone, create, createFileRegistry, type DescMessage, fromBinary } from "@bufbuild/protobuf";
import {
  FieldDescriptorProto_Label,
  FieldDescriptorProtoSchema,
  FileDescriptorProtoSchema,
} from "@bufbuild/protobuf/wkt";
import { file_onnx } from "../../src/onnx/schema/onnx_pb.ts";

/** Name, number and type code of the fields that the codec's schema leaves out. */
const typedFields = [
  ["float_data", 4, 2],
  ["int32_data", 5, 5],
  ["int64_data", 7, 3],
  ["double_data", 10, 1],
  ["uint64_data", 11, 4],
] as const;

const plainModel = plainSchema();

function plainSchema(): DescMessage {
  const file = clone(FileDescriptorProtoSchema, file_onnx.proto);
  file.syntax = "proto2";
  const tensor = file.messageType.find(({ name }) => name === "TensorProto")!;
  for (const [name, number, type] of typedFields) {
    tensor.field.push(
      create(FieldDescriptorProtoSchema, { name, number, type, label: FieldDescriptorProto_Label.REPEATED }),
    );
  }
  return createFileRegistry(file, () => undefined).getMessage("onnx.ModelProto")!;
}

type Plain = Record<string, unknown>;

/** What a file says, as plain data. */
export function meaningOf(bytes: Uint8Array): unknown {
  return canonical(fromBinary(plainModel, bytes) as unknown as Plain);
}

const rules = new Map<string, (message: Plain) => Plain>([
  ["onnx.TensorProto", tensorMeaning],
  ["onnx.GraphProto", sortedBody],
  ["onnx.FunctionProto", sortedBody],
]);

function canonical(value: unknown): unknown {
  if (value instanceof Uint8Array) return value.length > 0 ? Buffer.from(value).toString("latin1") : undefined;
  if (Array.isArray(value)) return value.length > 0 ? value.map(canonical) : undefined;
  if (typeof value !== "object" || value === null) return value === 0n || value === "" ? undefined : value;
  const message = value as Plain;
  const rule = rules.get(String(message.$typeName));
  const entries = Object.entries(rule ? rule(message) : message)
    .filter(([key]) => key !== "$typeName")
    .map(([key, field]) => [key, canonical(field)] as const);
  return Object.fromEntries(entries.filter(([, field]) => field !== undefined).sort());
}

/** Nodes may stand in any order that their edges allow, facts about values in any order at all. */
function sortedBody(body: Plain): Plain {
  const { node, valueInfo } = body as { node: Plain[]; valueInfo: Plain[] };
  return { ...body, node: sortedBy(node, ({ output }) => String(output)), valueInfo: sortedBy(valueInfo, nameOf) };
}

function nameOf({ name }: Plain): string {
  return String(name);
}

function sortedBy(items: readonly Plain[], key: (item: Plain) => string): Plain[] {
  return [...items].sort((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0));
}

/** Bytes per entry of int32_data by type code; 4 where it is not listed. */
const narrow = new Map([
  ...[2, 3, 9, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26].map((code) => [code, 1] as const),
  ...[4, 5, 10, 16].map((code) => [code, 2] as const),
]);

function tensorMeaning(tensor: Plain): Plain {
  const raw = [
    ...(tensor.floatData as number[]).map((value) => new Uint8Array(Float32Array.of(value).buffer)),
    ...(tensor.doubleData as number[]).map((value) => new Uint8Array(Float64Array.of(value).buffer)),
    ...(tensor.int32Data as number[]).map((value) =>
      new Uint8Array(Int32Array.of(value).buffer).slice(0, narrow.get(Number(tensor.dataType)) ?? 4),
    ),
    ...(tensor.int64Data as bigint[]).map((value) => new Uint8Array(BigInt64Array.of(value).buffer)),
    ...(tensor.uint64Data as bigint[]).map((value) =>
      new Uint8Array(BigUint64Array.of(value).buffer).slice(0, tensor.dataType === 12 ? 4 : 8),
    ),
  ];
  const { floatData, doubleData, int32Data, int64Data, uint64Data, ...rest } = tensor;
  const data = raw.length > 0 ? Buffer.concat(raw) : tensor.rawData;
  return { ...rest, rawData: data };
}
