/**
 * @file A walk over the bytes of a model before anything is built from them: every length, wire type, string and count is
 * checked, so that the generated reader after it meets well-formed input of bounded size.
 */
import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { ScalarType } from "@bufbuild/protobuf";
import { WireType } from "@bufbuild/protobuf/wire";
import { FormatError } from "../errors.ts";
import { checkLimit, type Limits } from "./limits.ts";

interface FieldPlan {
  readonly name: string;
  readonly wireType: number;
  /** Wire type of one element when the field is a list of numbers, which may be packed. */
  readonly packable: boolean;
  readonly isString: boolean;
  readonly child: DescMessage | undefined;
  readonly total: "nodes" | "initializers" | undefined;
  readonly perMessage: "dims" | "attributesPerNode" | undefined;
}

const totals = new Map<string, FieldPlan["total"]>([
  ["onnx.GraphProto.node", "nodes"],
  ["onnx.FunctionProto.node", "nodes"],
  ["onnx.GraphProto.initializer", "initializers"],
  ["onnx.GraphProto.sparse_initializer", "initializers"],
]);

const perMessage = new Map<string, FieldPlan["perMessage"]>([
  ["onnx.TensorProto.dims", "dims"],
  ["onnx.SparseTensorProto.dims", "dims"],
  ["onnx.TensorShapeProto.dim", "dims"],
  ["onnx.NodeProto.attribute", "attributesPerNode"],
]);

const scalarWireTypes = new Map<ScalarType, WireType>([
  [ScalarType.FLOAT, WireType.Bit32],
  [ScalarType.DOUBLE, WireType.Bit64],
  [ScalarType.STRING, WireType.LengthDelimited],
  [ScalarType.BYTES, WireType.LengthDelimited],
]);

const plans = new WeakMap<DescMessage, readonly (FieldPlan | undefined)[]>();

function planOf(message: DescMessage): readonly (FieldPlan | undefined)[] {
  let plan = plans.get(message);
  if (!plan) {
    const fields: (FieldPlan | undefined)[] = [];
    for (const field of message.fields) fields[field.number] = fieldPlan(message, field);
    plan = fields;
    plans.set(message, plan);
  }
  return plan;
}

function fieldPlan(message: DescMessage, field: DescField): FieldPlan {
  const name = `${message.typeName}.${field.name}`;
  const scalar = "scalar" in field ? field.scalar : undefined;
  const wireType = field.message
    ? WireType.LengthDelimited
    : (scalarWireTypes.get(scalar ?? ScalarType.INT64) ?? WireType.Varint);
  return {
    name,
    wireType,
    packable: field.fieldKind === "list" && wireType !== WireType.LengthDelimited,
    isString: scalar === ScalarType.STRING,
    child: field.message,
    total: totals.get(name),
    perMessage: perMessage.get(name),
  };
}

interface Scan {
  readonly bytes: Uint8Array;
  readonly limits: Limits;
  readonly counts: { nodes: number; initializers: number; items: number; listedNumbers: number };
  readonly utf8: TextDecoder;
  position: number;
}

/** Throws `FormatError` or `LimitError` unless `bytes` are a well-formed message of bounded size. */
export function scanMessage(schema: DescMessage, bytes: Uint8Array, limits: Limits): void {
  checkLimit(limits, "fileBytes", bytes.length, "the model file");
  const counts = { nodes: 0, initializers: 0, items: 0, listedNumbers: 0 };
  const scan: Scan = { bytes, limits, counts, utf8: new TextDecoder("utf-8", { fatal: true }), position: 0 };
  scanFields(scan, schema, bytes.length, 1);
}

function scanFields(scan: Scan, message: DescMessage, end: number, depth: number): void {
  checkLimit(scan.limits, "depth", depth, here(scan, message));
  const plan = planOf(message);
  let ofThisMessage = 0;
  while (scan.position < end) {
    const tag = readVarint(scan, end, message);
    const number = Math.floor(tag / 8);
    const wireType = tag % 8;
    if (number < 1 || tag > 0xffffffff) throw malformed(scan, message, `field number ${number}`);
    const field = plan[number];
    if (!field) {
      count(scan, "items", 1, message);
      skip(scan, wireType, end, message);
      continue;
    }
    ofThisMessage += scanField(scan, message, field, wireType, end, depth);
    if (field.perMessage) checkLimit(scan.limits, field.perMessage, ofThisMessage, here(scan, message));
  }
}

/** Returns how many elements count towards the field's limit per message. */
function scanField(
  scan: Scan,
  message: DescMessage,
  field: FieldPlan,
  wireType: number,
  end: number,
  depth: number,
): number {
  if (field.packable && wireType === WireType.LengthDelimited) {
    const elements = scanPacked(scan, message, field, end);
    return field.perMessage ? elements : 0;
  }
  if (wireType !== field.wireType) throw malformed(scan, message, `wire type ${wireType} in field ${field.name}`);
  if (field.packable) count(scan, "listedNumbers", 1, message);
  if (wireType !== WireType.LengthDelimited) {
    skip(scan, wireType, end, message);
    return field.perMessage ? 1 : 0;
  }
  count(scan, "items", 1, message);
  if (field.total) count(scan, field.total, 1, message);
  const stop = readLength(scan, end, message);
  if (field.child) scanFields(scan, field.child, stop, depth + 1);
  else if (field.isString) scanText(scan, stop, field);
  scan.position = stop;
  return field.perMessage ? 1 : 0;
}

function scanPacked(scan: Scan, message: DescMessage, field: FieldPlan, end: number): number {
  const stop = readLength(scan, end, message);
  const start = scan.position;
  const size = field.wireType === WireType.Bit64 ? 8 : 4;
  const isVarint = field.wireType === WireType.Varint;
  if (!isVarint && (stop - start) % size !== 0) throw malformed(scan, message, `the length of ${field.name}`);
  const elements = isVarint ? countVarints(scan.bytes, start, stop) : (stop - start) / size;
  if (elements < 0) throw malformed(scan, message, `a number in ${field.name}`);
  count(scan, "listedNumbers", elements, message);
  scan.position = stop;
  return elements;
}

/** The number of varints in `[start, stop)`, or -1 when the last one is cut or one is longer than ten bytes. */
export function countVarints(bytes: Uint8Array, start: number, stop: number): number {
  let elements = 0;
  let length = 0;
  for (let i = start; i < stop; i++) {
    length++;
    if (length > 10) return -1;
    if (bytes[i]! < 0x80) {
      elements++;
      length = 0;
    }
  }
  return length === 0 ? elements : -1;
}

function scanText(scan: Scan, stop: number, field: FieldPlan): void {
  const { bytes } = scan;
  let i = scan.position;
  while (i < stop && bytes[i]! < 0x80) i++;
  if (i === stop) return;
  try {
    scan.utf8.decode(bytes.subarray(i, stop));
  } catch (cause) {
    throw new FormatError("a name or text is not UTF-8", { where: `byte ${scan.position}, ${field.name}`, cause });
  }
}

function skip(scan: Scan, wireType: number, end: number, message: DescMessage): void {
  if (wireType === WireType.Varint) readVarint(scan, end, message);
  else if (wireType === WireType.Bit32) scan.position += 4;
  else if (wireType === WireType.Bit64) scan.position += 8;
  else if (wireType === WireType.LengthDelimited) scan.position = readLength(scan, end, message);
  else throw malformed(scan, message, `wire type ${wireType}`);
  if (scan.position > end) throw cut(scan, message);
}

/** Reads a length and returns where the bytes that it counts end. */
function readLength(scan: Scan, end: number, message: DescMessage): number {
  const stop = readVarint(scan, end, message) + scan.position;
  if (stop > end) throw cut(scan, message);
  return stop;
}

function readVarint(scan: Scan, end: number, message: DescMessage): number {
  const { bytes } = scan;
  let value = 0;
  let scale = 1;
  for (let i = 0; i < 10; i++) {
    if (scan.position >= end) throw cut(scan, message);
    const byte = bytes[scan.position++]!;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return value;
    scale *= 128;
  }
  throw malformed(scan, message, "a number of more than ten bytes");
}

function count(scan: Scan, name: keyof Scan["counts"], added: number, message: DescMessage): void {
  scan.counts[name] += added;
  if (scan.counts[name] > scan.limits[name]) {
    checkLimit(scan.limits, name, scan.counts[name], here(scan, message));
  }
}

function here(scan: Scan, message: DescMessage): string {
  return `byte ${scan.position}, ${message.typeName}`;
}

function cut(scan: Scan, message: DescMessage): FormatError {
  return new FormatError("the model file ends inside a field, or is not an ONNX model", { where: here(scan, message) });
}

function malformed(scan: Scan, message: DescMessage, got: string): FormatError {
  return new FormatError("the bytes are not an ONNX model", { got, where: here(scan, message) });
}
