/** @file Changes to the fields of a well-formed model: every field of every message can be reached; the same seed gives the same changes. */
import { clone, type DescField, type DescMessage, fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import { ModelProtoSchema } from "../../src/onnx/schema/onnx_pb.ts";
import { opTable } from "../../src/ops/index.ts";
import { below, type Random } from "./mutate.ts";

/** What a message holds, by the local name of its fields. */
type Fields = Record<string, unknown>;

/** A field of one message of a model. */
interface Site {
  readonly holder: Fields;
  readonly schema: DescMessage;
  readonly field: DescField;
}

const operators = Object.keys(opTable);
const foreign = ["ai.onnx.ml::TreeEnsembleClassifier", "com.microsoft::FusedConv", "nowhere::Unknown"];

const integers = [
  ...[0n, 1n, -1n, 2n, -2n, 3n, 4n, 5n, 7n, 8n, 13n, 16n, 21n, 32n, 1024n],
  ...[2n ** 31n, -(2n ** 31n), 2n ** 32n, 2n ** 53n, 2n ** 62n, 2n ** 63n - 1n, -(2n ** 63n)],
];
const floats = [0, -0, 1, -1, 0.5, 1e-45, 3e38, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
const domains = ["", "ai.onnx", "com.microsoft", "ai.onnx.ml", "nowhere"];
const words = [
  "",
  "reflect",
  "edge",
  "wrap",
  "constant",
  "SAME_UPPER",
  "VALID",
  "sum",
  "mean",
  "none",
  "linear",
  "cubic",
];
const more = [
  "tf_crop_and_resize",
  "DCR",
  "bilinear",
  "tanh",
  "forward",
  "bidirectional",
  "i,ij->j",
  "ij,jk,",
  "a...b->...",
  "\u0000",
];
const names = ["", "__proto__", "constructor", "x\u001b[2J", "new\nline", "?", "batch", "toString"];

/** Between one and three changes to the fields of the model in `bytes`; parts may come from `other`. */
export function mutateFields(bytes: Uint8Array, random: Random, other: Uint8Array): Uint8Array {
  const model = fromBinary(ModelProtoSchema, bytes);
  const donor = fromBinary(ModelProtoSchema, other);
  for (let i = 0, count = 1 + below(random, 3); i < count; i++) changeOne(model, random, donor);
  return toBinary(ModelProtoSchema, model);
}

function changeOne(model: Message, random: Random, donor: Message): void {
  const all = [...sitesIn(ModelProtoSchema, model as unknown as Fields)];
  // The fields of nodes, tensors and types matter more than names of the model's producer.
  const chosen = all.filter(({ schema }) => vital.has(schema.name));
  const site = pick(random, random() < 0.9 && chosen.length > 0 ? chosen : all);
  if (site.schema.name === "NodeProto" && random() < 0.3) changeOperator(site.holder, random);
  else changeField(site, random, donor);
}

const vital: ReadonlySet<string> = new Set([
  ...["NodeProto", "AttributeProto", "TensorProto", "GraphProto", "Tensor", "Dimension", "OperatorSetIdProto"],
  ...["TensorShapeProto", "TypeProto", "ValueInfoProto", "FunctionProto", "SparseTensorProto"],
]);

function* sitesIn(schema: DescMessage, holder: Fields): Generator<Site> {
  for (const field of schema.fields) {
    yield { holder, schema, field };
    const value = held(holder, field);
    if (field.fieldKind === "message" && value) yield* sitesIn(field.message, value as Fields);
    if (field.fieldKind !== "list" || field.listKind !== "message") continue;
    for (const item of value as Fields[]) yield* sitesIn(field.message, item);
  }
}

function held(holder: Fields, field: DescField): unknown {
  if (!field.oneof) return Object.hasOwn(holder, field.localName) ? holder[field.localName] : undefined;
  const group = holder[field.oneof.localName] as { case?: string; value?: unknown };
  return group.case === field.localName ? group.value : undefined;
}

function setField(holder: Fields, field: DescField, value: unknown): void {
  if (field.oneof)
    holder[field.oneof.localName] = value === undefined ? { case: undefined } : { case: field.localName, value };
  else if (value === undefined) delete holder[field.localName];
  else holder[field.localName] = value;
}

function changeOperator(node: Fields, random: Random): void {
  const [domain, opType] = splitName(pick(random, random() < 0.97 ? operators : foreign));
  node.opType = opType;
  node.domain = domain;
}

export function splitName(qualified: string): readonly [domain: string, opType: string] {
  const at = qualified.indexOf("::");
  return at < 0 ? ["", qualified] : [qualified.slice(0, at), qualified.slice(at + 2)];
}

function changeField(site: Site, random: Random, donor: Message): void {
  const { holder, field } = site;
  const donated = (): unknown => donatedFor(site, random, donor);
  if (field.fieldKind === "list") changeList(site, random, donated);
  else if (field.fieldKind === "message") {
    const value = random() < 0.4 ? undefined : donated();
    setField(holder, field, value);
  } else if (random() < 0.1) setField(holder, field, undefined);
  else setField(holder, field, random() < 0.2 ? (donated() ?? scalarFor(site, random)) : scalarFor(site, random));
}

/** The same field of another model, copied. */
function donatedFor({ field }: Site, random: Random, donor: Message): unknown {
  const like = [...sitesIn(ModelProtoSchema, donor as unknown as Fields)].filter((site) => site.field === field);
  const values = like.map(({ holder }) => held(holder, field)).filter((value) => value !== undefined);
  if (values.length === 0) return undefined;
  const value = pick(random, values);
  if (field.fieldKind === "message") return clone(field.message, value as Message);
  if (field.fieldKind !== "list" || field.listKind !== "message") return Array.isArray(value) ? [...value] : value;
  return (value as Message[]).map((item) => clone(field.message, item));
}

function changeList(site: Site, random: Random, donated: () => unknown): void {
  const { holder, field } = site;
  const items = [...(holder[field.localName] as unknown[])];
  const at = below(random, items.length + 1);
  const action = random();
  if (action < 0.25) items.splice(at, 1);
  else if (action < 0.35 && items.length > 0) items.splice(at, 0, items[below(random, items.length)]);
  else if (action < 0.45) items.length = random() < 0.5 ? 0 : at;
  else if (action < 0.55 && items.length > 1) [items[0], items[items.length - 1]] = [items[items.length - 1], items[0]];
  else if (action < 0.7) items.splice(at, random() < 0.5 ? 1 : 0, ...((donated() as unknown[]) ?? []));
  else if (field.fieldKind === "list" && field.listKind === "scalar")
    items.splice(at, random() < 0.7 ? 1 : 0, scalarFor(site, random));
  holder[field.localName] = items;
}

function scalarFor({ schema, field, holder }: Site, random: Random): unknown {
  const kind = field.fieldKind === "list" || field.fieldKind === "scalar" ? field.scalar : undefined;
  const path = `${schema.name}.${field.name}`;
  if (path === "TensorProto.data_type" || field.name === "elem_type" || field.name === "key_type")
    return below(random, 28);
  if (path === "AttributeProto.type") return below(random, 16);
  if (path === "OperatorSetIdProto.version") return BigInt(below(random, 30));
  if (kind === INT64) return pick(random, integers);
  if (kind === INT32) return Number(BigInt.asIntN(32, pick(random, integers)));
  if (kind === FLOAT) return pick(random, floats);
  if (kind === BYTES) return bytesFor(field, holder, random);
  if (field.name === "op_type") return splitName(pick(random, operators))[1];
  if (field.name === "domain") return pick(random, domains);
  return pick(random, names);
}

/** Numbers of `ScalarType`. */
const [FLOAT, INT64, INT32, BYTES] = [2, 3, 5, 12];

function bytesFor({ name }: DescField, holder: Fields, random: Random): Uint8Array {
  if (name !== "raw_data") return new TextEncoder().encode(pick(random, [...words, ...more]));
  const old = (holder.rawData ?? new Uint8Array()) as Uint8Array;
  if (random() < 0.1) return old.slice(0, below(random, old.length + 1));
  const changed = old.slice();
  const view = new DataView(changed.buffer, changed.byteOffset, changed.byteLength);
  for (let i = 0; i <= below(random, 3) && changed.length >= 4; i++) {
    const at = 4 * below(random, changed.length >> 2);
    if (changed.length - at >= 8 && random() < 0.5) view.setBigInt64(8 * (at >> 3), pick(random, integers), true);
    else view.setFloat32(at, pick(random, floats), true);
  }
  return changed;
}

export function pick<T>(random: Random, items: readonly T[]): T {
  return items[below(random, items.length)]!;
}
