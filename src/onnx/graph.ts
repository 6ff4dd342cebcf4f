/** @file GraphProto, NodeProto and FunctionProto → Graph, Node and ModelFunction: names become values, scope by scope. */
import { FormatError, InvalidModelError } from "../errors.ts";
import {
  type Attribute,
  type Attributes,
  type Graph,
  type Initializer,
  inOrder,
  isSparse,
  type ModelFunction,
  type Node,
  tensorType,
  type Value,
} from "../ir/index.ts";
import { decodeAttribute } from "./attribute.ts";
import { decodeOpsets, docStringOf, metadataOf, preserving, type UnknownFields, unknownOf } from "./entries.ts";
import type {
  AttributeProto,
  FunctionProto,
  GraphProto,
  NodeDeviceConfigurationProto,
  NodeProto,
  TensorAnnotation,
  TypeProto,
  ValueInfoProto,
} from "./schema/onnx_pb.ts";
import { decodeSparse, decodeTensor } from "./tensor.ts";
import { decodeType } from "./value-type.ts";

export interface PreservedValue {
  /** The type as the file has it, when the IR does not say all of it. */
  readonly type?: TypeProto;
  /** Stands in `value_info` although it is an input, an output or an initializer. */
  readonly listed?: true;
  readonly unknown?: UnknownFields;
}

export interface PreservedNode {
  /** Messages of attributes of which the IR does not say all, by name. */
  readonly attributes?: ReadonlyMap<string, AttributeProto>;
  readonly devices?: readonly NodeDeviceConfigurationProto[];
  readonly unknown?: UnknownFields;
}

export interface PreservedGraph {
  /** Entries of `value_info` that name no value of this graph. */
  readonly dangling?: readonly ValueInfoProto[];
  readonly annotations?: readonly TensorAnnotation[];
  readonly unknown?: UnknownFields;
}

export interface PreservedFunction extends Omit<PreservedGraph, "annotations"> {
  /** Messages of attribute defaults of which the IR does not say all, by name. */
  readonly attributes?: ReadonlyMap<string, AttributeProto>;
}

/** The values that names stand for, and the scope around. */
export interface Scope {
  readonly values: Map<string, Value>;
  readonly infos: ReadonlyMap<string, Info>;
  readonly outer: Scope | undefined;
}

interface Info {
  readonly proto: ValueInfoProto;
  readonly from: "signature" | "value_info" | "both";
}

/** A graph and its scope; values that it does not define are looked up in `outer`. */
export function decodeGraph(proto: GraphProto, outer?: Scope): { readonly graph: Graph; readonly scope: Scope } {
  const where = `graph ${JSON.stringify(proto.name)}`;
  const scope: Scope = { values: new Map(), infos: infosOf(proto.valueInfo, [...proto.output, ...proto.input]), outer };
  const inputs = proto.input.map(({ name }) => define(scope, name));
  const initializers = decodeInitializers(proto, scope, where);
  const nodes = decodeNodes(proto.node, scope, where);
  const outputs = proto.output.map(({ name }) => resolve(scope, name));
  const preserved: PreservedGraph = {
    ...danglingOf(proto.valueInfo, scope),
    ...(proto.quantizationAnnotation.length > 0 ? { annotations: proto.quantizationAnnotation } : {}),
    ...unknownOf(proto),
  };
  const parts = { ...docStringOf(proto), ...metadataOf(proto), ...preserving(preserved) };
  return { graph: { name: proto.name, inputs, outputs, nodes, initializers, ...parts }, scope };
}

/** A function's body is a scope of its own. */
export function decodeFunction(proto: FunctionProto): ModelFunction {
  const where = `function ${JSON.stringify(proto.name)}`;
  const scope: Scope = { values: new Map(), infos: infosOf(proto.valueInfo), outer: undefined };
  const inputs = proto.input.map((name) => define(scope, name));
  const nodes = decodeNodes(proto.node, scope, where);
  const outputs = proto.output.map((name) => resolve(scope, name));
  const defaults = decodeAttributes(proto.attributeProto, scope, where);
  const preserved: PreservedFunction = {
    ...(defaults.kept ? { attributes: defaults.kept } : {}),
    ...danglingOf(proto.valueInfo, scope),
    ...unknownOf(proto),
  };
  return {
    name: proto.name,
    domain: proto.domain,
    ...(Object.hasOwn(proto, "overload") ? { overload: proto.overload } : {}),
    inputs,
    outputs,
    nodes,
    attributes: proto.attribute,
    attributeDefaults: defaults.attributes,
    opsets: decodeOpsets(proto.opsetImport, where),
    ...docStringOf(proto),
    ...metadataOf(proto),
    ...preserving(preserved),
  };
}

function infosOf(valueInfo: readonly ValueInfoProto[], signature: readonly ValueInfoProto[] = []): Map<string, Info> {
  const infos = new Map<string, Info>();
  for (const proto of signature) infos.set(proto.name, { proto, from: "signature" });
  for (const proto of valueInfo) {
    const known = infos.get(proto.name);
    infos.set(proto.name, known ? { ...known, from: "both" } : { proto, from: "value_info" });
  }
  return infos;
}

function danglingOf(valueInfo: readonly ValueInfoProto[], scope: Scope): { dangling?: ValueInfoProto[] } {
  const dangling = valueInfo.filter(({ name }) => !scope.values.has(name));
  return dangling.length > 0 ? { dangling } : {};
}

function define(scope: Scope, name: string, initializer?: Initializer): Value {
  const known = scope.values.get(name);
  if (known) return known;
  const info = scope.infos.get(name);
  const value = info ? described(name, info, initializer !== undefined) : bare(name, initializer);
  scope.values.set(name, value);
  return value;
}

function bare(name: string, initializer: Initializer | undefined): Value {
  if (!initializer) return { name };
  const dtype = isSparse(initializer) ? initializer.values.dtype : initializer.dtype;
  return { name, type: tensorType(dtype, initializer.dims) };
}

function described(name: string, { proto, from }: Info, isInitializer: boolean): Value {
  const listed = from === "both" || (from === "value_info" && isInitializer);
  const { type, exact } = decodeType(proto.type);
  const preserved: PreservedValue = {
    ...(exact || !proto.type ? {} : { type: proto.type }),
    ...(listed ? { listed: true } : {}),
    ...unknownOf(proto),
  };
  return { name, ...(type ? { type } : {}), ...docStringOf(proto), ...metadataOf(proto), ...preserving(preserved) };
}

/** The value that `name` stands for; one that nothing defines is made in the outermost scope, for `verify` to report. */
function resolve(scope: Scope, name: string): Value {
  let current: Scope = scope;
  for (;;) {
    const value = current.values.get(name);
    if (value) return value;
    if (!current.outer) break;
    current = current.outer;
  }
  const info = scope.infos.get(name);
  const value = info ? described(name, info, false) : { name };
  current.values.set(name, value);
  return value;
}

function decodeInitializers(proto: GraphProto, scope: Scope, where: string): Map<Value, Initializer> {
  const initializers = new Map<Value, Initializer>();
  const add = (name: string, initializer: Initializer): void => {
    const value = define(scope, name, initializer);
    if (initializers.has(value)) {
      throw new InvalidModelError("two initializers have one name", { got: JSON.stringify(name), where });
    }
    initializers.set(value, initializer);
  };
  for (const tensor of proto.initializer) {
    add(tensor.name, decodeTensor(tensor, `${where}, initializer ${JSON.stringify(tensor.name)}`, true));
  }
  for (const sparse of proto.sparseInitializer) {
    const name = sparse.values?.name ?? "";
    add(name, decodeSparse(sparse, `${where}, initializer ${JSON.stringify(name)}`, true));
  }
  return initializers;
}

function decodeNodes(protos: readonly NodeProto[], scope: Scope, where: string): readonly Node[] {
  for (const { output } of protos) for (const name of output) if (name !== "") define(scope, name);
  return inOrder(
    protos.map((proto) => decodeNode(proto, scope, where)),
    where,
  );
}

function decodeNode(proto: NodeProto, scope: Scope, around: string): Node {
  const optional = (name: string): Value | undefined => (name === "" ? undefined : resolve(scope, name));
  const where = `${around}, node ${JSON.stringify(proto.name || proto.output[0] || "")} (${proto.opType})`;
  if (proto.opType === "") throw new FormatError("a node has no operator", { where });
  const { attributes, kept } = decodeAttributes(proto.attribute, scope, where);
  const preserved: PreservedNode = {
    ...(kept ? { attributes: kept } : {}),
    ...(proto.deviceConfigurations.length > 0 ? { devices: proto.deviceConfigurations } : {}),
    ...unknownOf(proto),
  };
  return {
    opType: proto.opType,
    domain: proto.domain,
    name: proto.name,
    inputs: proto.input.map(optional),
    outputs: proto.output.map(optional),
    attributes,
    ...(Object.hasOwn(proto, "overload") ? { overload: proto.overload } : {}),
    ...docStringOf(proto),
    ...metadataOf(proto),
    ...preserving(preserved),
  };
}

const noAttributes: Attributes = new Map();

function decodeAttributes(
  protos: readonly AttributeProto[],
  scope: Scope,
  where: string,
): { readonly attributes: Attributes; readonly kept?: ReadonlyMap<string, AttributeProto> } {
  if (protos.length === 0) return { attributes: noAttributes };
  const attributes = new Map<string, Attribute>();
  const keptByName = new Map<string, AttributeProto>();
  for (const proto of protos) {
    const inner = `${where}, attribute ${JSON.stringify(proto.name)}`;
    const { attribute, kept } = decodeAttribute(proto, inner, (graph) => decodeGraph(graph, scope).graph);
    if (attributes.has(proto.name)) throw new InvalidModelError("an attribute is given twice", { where: inner });
    attributes.set(proto.name, attribute);
    if (kept) keptByName.set(proto.name, kept);
  }
  return keptByName.size > 0 ? { attributes, kept: keptByName } : { attributes };
}
