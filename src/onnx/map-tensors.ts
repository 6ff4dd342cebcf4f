/** @file Every tensor of a model, in initializers and attributes of all graphs and functions, exchanged for another. */
import {
  type Attribute,
  type Attributes,
  type Graph,
  type Initializer,
  isSparse,
  type Model,
  type Node,
  type Tensor,
} from "../ir/index.ts";

/** Where a tensor stands: only a dense initializer may be moved out of the file. */
export type TensorRole = "initializer" | "attribute" | "sparse";

/** What a tensor becomes; the tensor itself to leave it. */
export type ChangeTensor = (tensor: Tensor, where: string, role: TensorRole) => Tensor;

/** The same model over the changed tensors; what was not touched is shared, values stay the same objects. */
export function mapTensors(model: Model, change: ChangeTensor): Model {
  const graph = mapGraph(model.graph, change);
  const functions = mapItems(model.functions, (f) => {
    const nodes = mapItems(f.nodes, (node) => mapNode(node, change, `function "${f.name}"`));
    const attributeDefaults = mapAttributes(f.attributeDefaults, change, `function "${f.name}"`);
    return nodes === f.nodes && attributeDefaults === f.attributeDefaults ? f : { ...f, nodes, attributeDefaults };
  });
  const trainingInfo = mapItems(model.trainingInfo, (info) => {
    const initialization = info.initialization && mapGraph(info.initialization, change);
    const algorithm = info.algorithm && mapGraph(info.algorithm, change);
    if (initialization === info.initialization && algorithm === info.algorithm) return info;
    return { ...info, ...(initialization ? { initialization } : {}), ...(algorithm ? { algorithm } : {}) };
  });
  const same = graph === model.graph && functions === model.functions && trainingInfo === model.trainingInfo;
  return same ? model : { ...model, graph, functions, trainingInfo };
}

/** The same array when no item changed. */
function mapItems<T>(items: readonly T[], change: (item: T) => T): readonly T[] {
  const next = items.map(change);
  return next.every((item, i) => item === items[i]) ? items : next;
}

/** The same map when no value changed. */
function mapEntries<K, V>(map: ReadonlyMap<K, V>, change: (value: V, key: K) => V): ReadonlyMap<K, V> {
  let next: Map<K, V> | undefined;
  for (const [key, value] of map) {
    const changed = change(value, key);
    if (changed === value) continue;
    next ??= new Map(map);
    next.set(key, changed);
  }
  return next ?? map;
}

function mapGraph(graph: Graph, change: ChangeTensor): Graph {
  const where = `graph "${graph.name}"`;
  const nodes = mapItems(graph.nodes, (node) => mapNode(node, change, where));
  const initializers = mapEntries(graph.initializers, (data, { name }) =>
    mapInitializer(data, change, `${where}, initializer "${name}"`, "initializer"),
  );
  return nodes === graph.nodes && initializers === graph.initializers ? graph : { ...graph, nodes, initializers };
}

function mapInitializer<T extends Initializer>(data: T, change: ChangeTensor, where: string, role: TensorRole): T;
function mapInitializer(data: Initializer, change: ChangeTensor, where: string, role: TensorRole): Initializer {
  if (!isSparse(data)) return change(data, where, role);
  const values = change(data.values, where, "sparse");
  const indices = change(data.indices, where, "sparse");
  return values === data.values && indices === data.indices ? data : { ...data, values, indices };
}

function mapNode(node: Node, change: ChangeTensor, around: string): Node {
  const attributes = mapAttributes(node.attributes, change, `${around}, node "${node.name}" (${node.opType})`);
  return attributes === node.attributes ? node : { ...node, attributes };
}

function mapAttributes(attributes: Attributes, change: ChangeTensor, around: string): Attributes {
  if (attributes.size === 0) return attributes;
  return mapEntries(attributes, (attribute, name) => mapAttribute(attribute, change, `${around}, attribute "${name}"`));
}

function mapAttribute(attribute: Attribute, change: ChangeTensor, where: string): Attribute {
  const one = <T extends Initializer>(data: T): T => mapInitializer(data, change, where, "attribute");
  const inner = (graph: Graph): Graph => mapGraph(graph, change);
  switch (attribute.type) {
    case "tensor":
      return replaced(attribute, one(attribute.value));
    case "tensors":
      return replaced(attribute, mapItems(attribute.value, one));
    case "sparse-tensor":
      return replaced(attribute, one(attribute.value));
    case "sparse-tensors":
      return replaced(attribute, mapItems(attribute.value, one));
    case "graph":
      return replaced(attribute, inner(attribute.value));
    case "graphs":
      return replaced(attribute, mapItems(attribute.value, inner));
    default:
      return attribute;
  }
}

function replaced<A extends { readonly value: unknown }>(attribute: A, value: A["value"]): A {
  return value === attribute.value ? attribute : { ...attribute, value };
}
