/** @file Model functions as the driver calls them: the body with the caller's attributes put in. */
import {
  type Attribute,
  type Attributes,
  type Graph,
  type Model,
  type ModelFunction,
  mapSubgraphs,
  type Node,
} from "../ir/index.ts";

export interface FunctionTable {
  find(node: Node): ModelFunction | undefined;
}

/** A function's body for one call. */
export type Callable = Pick<ModelFunction, "inputs" | "outputs" | "nodes" | "opsets">;

export function functionTable(model: Model): FunctionTable {
  if (model.functions.length === 0) return { find: () => undefined };
  const table = new Map(model.functions.map((item) => [key(item.domain, item.name, item.overload), item]));
  return { find: (node) => table.get(key(node.domain, node.opType, node.overload)) };
}

function key(domain: string, name: string, overload = ""): string {
  return JSON.stringify([domain === "ai.onnx" ? "" : domain, name, overload]);
}

/** The function that the node calls, with references to its attributes resolved. */
export function callableOf(functions: FunctionTable, node: Node): Callable | undefined {
  const called = functions.find(node);
  if (!called) return undefined;
  const given = new Map([...called.attributeDefaults, ...node.attributes]);
  return { ...called, nodes: called.nodes.map((inner) => resolved(inner, given)) };
}

function resolved(node: Node, given: Attributes): Node {
  const inGraphs = (graph: Graph): Graph =>
    mapSubgraphs({ ...graph, nodes: graph.nodes.map((inner) => resolved(inner, given)) }, (inner) => inner);
  let changed = false;
  const attributes = new Map<string, Attribute>();
  for (const [name, attribute] of node.attributes) {
    const next = resolvedAttribute(attribute, given, inGraphs);
    changed ||= next !== attribute;
    if (next) attributes.set(name, next);
  }
  return changed ? { ...node, attributes } : node;
}

function resolvedAttribute(
  attribute: Attribute,
  given: Attributes,
  inGraphs: (graph: Graph) => Graph,
): Attribute | undefined {
  if (attribute.type === "reference") return given.get(attribute.to);
  if (attribute.type === "graph") return { type: "graph", value: inGraphs(attribute.value) };
  if (attribute.type === "graphs") return { type: "graphs", value: attribute.value.map(inGraphs) };
  return attribute;
}
