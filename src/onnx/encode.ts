/** @file Model → bytes. The tensors of the main graph are written past the generated writer, so that none is copied twice. */
import { create, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { InvalidModelError, LimitError, LitheError } from "../errors.ts";
import {
  type Attributes,
  exactBigint,
  type Graph,
  isSparse,
  type Model,
  type ModelFunction,
  type Node,
  type Tensor,
  type TrainingInfo,
  type Value,
} from "../ir/index.ts";
import { encodeAttribute } from "./attribute.ts";
import type { PreservedModel, PreservedTraining } from "./decode.ts";
import { encodeEntries, encodeOpsets, withUnknown } from "./entries.ts";
import type { PreservedFunction, PreservedGraph, PreservedNode, PreservedValue } from "./graph.ts";
import {
  type AttributeProto,
  type FunctionProto,
  FunctionProtoSchema,
  type GraphProto,
  GraphProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  TensorProtoSchema,
  type TrainingInfoProto,
  TrainingInfoProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from "./schema/onnx_pb.ts";
import { asStored } from "./sparse-weights.ts";
import { encodeSparse, encodeTensor } from "./tensor.ts";
import { encodeType } from "./value-type.ts";

/** Protobuf allows a message of 2 GiB. */
export const MAX_FILE_BYTES = 2 ** 31 - 1;

/**
 * The ONNX file of a model; reading it again gives an equal model. Tensors are written as raw data, references to external
 * data as references, and weights of a model that was loaded from a file with sparse ones sparse where that is smaller.
 *
 * @throws LimitError the file would reach 2 GiB: `saveModel` puts the tensors beside it
 * @throws InvalidModelError a number or text cannot be written
 */
export function encodeModel(model: Model): Uint8Array {
  const chunks = encodeModelChunks(asStored(model));
  checkFileSize(chunks);
  const bytes = new Uint8Array(totalLength(chunks));
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.length;
  }
  return bytes;
}

/** The bytes that `encodeModel` would write, which are not written. */
export function encodedSize(model: Model): number {
  return totalLength(encodeModelChunks(asStored(model)));
}

/** Throws `LimitError` when the pieces together reach 2 GiB. */
export function checkFileSize(chunks: readonly Uint8Array[]): void {
  const length = totalLength(chunks);
  if (length <= MAX_FILE_BYTES) return;
  throw new LimitError("an ONNX file must be smaller than 2 GiB", {
    got: `${length} bytes`,
    hint: "saveModel(path, model) writes large initializers to a data file beside it.",
  });
}

/** The file in pieces, in order; the tensors' bytes are the model's own memory. */
export function encodeModelChunks(model: Model): Uint8Array[] {
  try {
    const graph = graphChunks(model.graph);
    const head = new BinaryWriter().tag(7, WireType.LengthDelimited).uint32(totalLength(graph)).finish();
    return [toBinary(ModelProtoSchema, encodeRest(model)), head, ...graph];
  } catch (cause) {
    if (cause instanceof LitheError) throw cause;
    throw new InvalidModelError("the model cannot be written", { got: String(cause), cause });
  }
}

export function totalLength(chunks: readonly Uint8Array[]): number {
  return chunks.reduce((sum, { length }) => sum + length, 0);
}

/** A message is the concatenation of its fields, so the dense initializers follow the rest of the graph. */
function graphChunks(graph: Graph): Uint8Array[] {
  const chunks: Uint8Array[] = [toBinary(GraphProtoSchema, encodeGraph(graph, false))];
  for (const [value, data] of graph.initializers)
    if (!isSparse(data)) for (const item of tensorChunks(data, value.name)) chunks.push(item);
  return chunks;
}

function tensorChunks(tensor: Tensor, name: string): Uint8Array[] {
  const head = toBinary(TensorProtoSchema, encodeTensor(tensor, name, false));
  if (!(tensor.data instanceof Uint8Array)) return [fieldHead(5, head.length), head];
  const raw = fieldHead(9, tensor.data.length);
  return [fieldHead(5, head.length + raw.length + tensor.data.length), head, raw, tensor.data];
}

function fieldHead(field: number, length: number): Uint8Array {
  return new BinaryWriter().tag(field, WireType.LengthDelimited).uint32(length).finish();
}

/** All of the model but its main graph. */
function encodeRest(model: Model): ModelProto {
  const { configurations, unknown }: PreservedModel = model.preserved ?? {};
  const proto = withUnknown(create(ModelProtoSchema), unknown);
  proto.irVersion = exactBigint(model.irVersion);
  proto.opsetImport = encodeOpsets(model.opsets);
  if (model.producerName !== undefined) proto.producerName = model.producerName;
  if (model.producerVersion !== undefined) proto.producerVersion = model.producerVersion;
  if (model.domain !== undefined) proto.domain = model.domain;
  if (model.modelVersion !== undefined) proto.modelVersion = model.modelVersion;
  if (model.docString !== undefined) proto.docString = model.docString;
  proto.metadataProps = encodeEntries(model.metadata);
  proto.functions = model.functions.map(encodeFunction);
  proto.trainingInfo = model.trainingInfo.map(encodeTraining);
  if (configurations) proto.configuration = [...configurations];
  return proto;
}

function encodeTraining(info: TrainingInfo): TrainingInfoProto {
  const { unknown }: PreservedTraining = info.preserved ?? {};
  const proto = withUnknown(create(TrainingInfoProtoSchema), unknown);
  if (info.initialization) proto.initialization = encodeGraph(info.initialization);
  if (info.algorithm) proto.algorithm = encodeGraph(info.algorithm);
  proto.initializationBinding = encodeEntries(info.initializationBindings);
  proto.updateBinding = encodeEntries(info.updateBindings);
  return proto;
}

function encodeGraph(graph: Graph, withInitializers = true): GraphProto {
  const { dangling = [], annotations, unknown }: PreservedGraph = graph.preserved ?? {};
  const proto = withUnknown(create(GraphProtoSchema), unknown);
  proto.name = graph.name;
  proto.node = graph.nodes.map(encodeNode);
  for (const [value, data] of graph.initializers) {
    if (isSparse(data)) proto.sparseInitializer.push(encodeSparse(data, value.name));
    else if (withInitializers) proto.initializer.push(encodeTensor(data, value.name));
  }
  proto.input = graph.inputs.map(encodeValue);
  proto.output = graph.outputs.map(encodeValue);
  proto.valueInfo = valueInfoOf(graph, dangling);
  if (graph.docString !== undefined) proto.docString = graph.docString;
  if (annotations) proto.quantizationAnnotation = [...annotations];
  proto.metadataProps = encodeEntries(graph.metadata);
  return proto;
}

/** What is known of values that are neither inputs nor outputs, and what the file listed besides. */
function valueInfoOf(
  { inputs, outputs, nodes, initializers }: Pick<Graph, "inputs" | "outputs" | "nodes"> & Partial<Graph>,
  dangling: readonly ValueInfoProto[],
): ValueInfoProto[] {
  const signature = new Set<Value>([...inputs, ...outputs, ...(initializers?.keys() ?? [])]);
  const names = new Set<string>();
  const infos: ValueInfoProto[] = [];
  for (const value of signature) {
    names.add(value.name);
    if ((value.preserved as PreservedValue | undefined)?.listed) infos.push(encodeValue(value));
  }
  for (const node of nodes) {
    for (const value of node.outputs) {
      if (!value || signature.has(value)) continue;
      names.add(value.name);
      if (isDescribed(value)) infos.push(encodeValue(value));
    }
  }
  for (const info of dangling) if (!names.has(info.name)) infos.push(info);
  return infos;
}

function isDescribed({ type, docString, metadata, preserved }: Value): boolean {
  return type !== undefined || docString !== undefined || metadata !== undefined || preserved !== undefined;
}

function encodeValue(value: Value): ValueInfoProto {
  const { type: kept, unknown }: PreservedValue = value.preserved ?? {};
  const proto = withUnknown(create(ValueInfoProtoSchema), unknown);
  proto.name = value.name;
  const type = encodeType(value.type, kept);
  if (type) proto.type = type;
  if (value.docString !== undefined) proto.docString = value.docString;
  proto.metadataProps = encodeEntries(value.metadata);
  return proto;
}

function encodeNode(node: Node): NodeProto {
  const { attributes, devices, unknown }: PreservedNode = node.preserved ?? {};
  const proto = withUnknown(create(NodeProtoSchema), unknown);
  proto.opType = node.opType;
  if (node.domain !== "") proto.domain = node.domain;
  if (node.name !== "") proto.name = node.name;
  if (node.overload !== undefined) proto.overload = node.overload;
  proto.input = node.inputs.map(nameOf);
  proto.output = node.outputs.map(nameOf);
  proto.attribute = encodeAttributes(node.attributes, attributes);
  if (node.docString !== undefined) proto.docString = node.docString;
  if (node.metadata) proto.metadataProps = encodeEntries(node.metadata);
  if (devices) proto.deviceConfigurations = [...devices];
  return proto;
}

function nameOf(value: Value | undefined): string {
  return value === undefined ? "" : value.name;
}

function encodeAttributes(
  attributes: Attributes,
  kept: ReadonlyMap<string, AttributeProto> | undefined,
): AttributeProto[] {
  return Array.from(attributes, ([name, attribute]) => encodeAttribute(name, attribute, kept?.get(name), encodeGraph));
}

function encodeFunction(f: ModelFunction): FunctionProto {
  const { attributes, dangling = [], unknown }: PreservedFunction = f.preserved ?? {};
  const proto = withUnknown(create(FunctionProtoSchema), unknown);
  proto.name = f.name;
  proto.domain = f.domain;
  if (f.overload !== undefined) proto.overload = f.overload;
  proto.input = f.inputs.map(nameOf);
  proto.output = f.outputs.map(nameOf);
  proto.attribute = [...f.attributes];
  proto.attributeProto = encodeAttributes(f.attributeDefaults, attributes);
  proto.node = f.nodes.map(encodeNode);
  proto.opsetImport = encodeOpsets(f.opsets);
  proto.valueInfo = functionInfo(f, dangling);
  if (f.docString !== undefined) proto.docString = f.docString;
  if (f.metadata) proto.metadataProps = encodeEntries(f.metadata);
  return proto;
}

/** A function's inputs and outputs are bare names, so all that is known of them stands in `value_info`. */
function functionInfo(f: ModelFunction, dangling: readonly ValueInfoProto[]): ValueInfoProto[] {
  const values = new Set<Value>([...f.inputs, ...f.outputs]);
  for (const { outputs } of f.nodes) for (const value of outputs) if (value) values.add(value);
  const names = new Set(Array.from(values, ({ name }) => name));
  const infos = Array.from(values).filter(isDescribed).map(encodeValue);
  return [...infos, ...dangling.filter(({ name }) => !names.has(name))];
}
