/** @file Looking at graphs: producers, uses, subgraphs, captured values. Results are remembered per graph. */
import type { Graph, Model, Node, Value } from "./graph.ts";
import { type Initializer, isSparse, scalar, type Tensor, tensor, tensorFromNumbers } from "./tensor.ts";

/** One place where a value is read. `input` is -1 for a graph output, at position `output`. */
export interface Use {
  readonly node?: Node;
  readonly input: number;
}

export interface GraphIndex {
  readonly producers: ReadonlyMap<Value, Node>;
  /** Uses by nodes of this graph and of its subgraphs (there `node` is the inner node), and as outputs of this graph. */
  readonly uses: ReadonlyMap<Value, readonly Use[]>;
}

const indexes = new WeakMap<Graph, GraphIndex>();

/** Who makes and who reads each value; computed once per graph. */
export function indexOf(graph: Graph): GraphIndex {
  const known = indexes.get(graph);
  if (known) return known;
  const producers = new Map<Value, Node>();
  const uses = new Map<Value, Use[]>();
  for (const node of graph.nodes) {
    for (const output of node.outputs) if (output) producers.set(output, node);
    addUses(node, uses);
  }
  for (const output of graph.outputs) push(uses, output, { input: -1 });
  const index = { producers, uses };
  indexes.set(graph, index);
  return index;
}

export function producerOf(graph: Graph, value: Value): Node | undefined {
  return indexOf(graph).producers.get(value);
}

export function usesOf(graph: Graph, value: Value): readonly Use[] {
  return indexOf(graph).uses.get(value) ?? [];
}

/** The single node that reads `value`, when nothing else does, not even the graph's outputs. */
export function soleConsumer(graph: Graph, value: Value): Node | undefined {
  const uses = usesOf(graph, value);
  return uses.length === 1 ? uses[0]?.node : undefined;
}

/** The dense initializer or `Constant` node's tensor behind `value`. */
export function constantOf(graph: Graph, value: Value | undefined): Tensor | undefined {
  if (!value) return undefined;
  const initializer: Initializer | undefined = graph.initializers.get(value);
  if (initializer) return isSparse(initializer) ? undefined : initializer;
  const producer = producerOf(graph, value);
  return producer && literalOf(producer);
}

const literals = new WeakMap<Node, { readonly tensor: Tensor | undefined }>();

/** The tensor of a `Constant` node, in any of the forms that the operator has but the sparse one; always the same object. A node that
 * claims further outputs, which no form gives, has none. */
export function literalOf(node: Node): Tensor | undefined {
  if (node.opType !== "Constant") return undefined;
  const known = literals.get(node);
  if (known) return known.tensor;
  const tensor = literalFrom(node);
  literals.set(node, { tensor });
  return tensor;
}

function literalFrom({ attributes, outputs }: Node): Tensor | undefined {
  if (attributes.size !== 1 || outputs.length !== 1) return undefined;
  const [[form, attribute] = []] = [...attributes];
  if (form === "value" && attribute?.type === "tensor") return attribute.value;
  if (form === "value_float" && attribute?.type === "float") return scalar("float32", attribute.value);
  if (form === "value_int" && attribute?.type === "int") return integers([], [attribute.value]);
  if (form === "value_floats" && attribute?.type === "floats")
    return tensorFromNumbers("float32", [attribute.value.length], attribute.value);
  if (form === "value_ints" && attribute?.type === "ints") return integers([attribute.value.length], attribute.value);
  if (form === "value_string" && attribute?.type === "string")
    return { dtype: "string", dims: [], data: [attribute.value] };
  if (form === "value_strings" && attribute?.type === "strings")
    return { dtype: "string", dims: [attribute.value.length], data: attribute.value };
  return undefined;
}

function integers(dims: readonly number[], values: readonly bigint[]): Tensor {
  return tensor("int64", dims, BigInt64Array.from(values));
}

/** The tensor of a value that is constant. */
export type ConstantLookup = (value: Value | undefined) => Tensor | undefined;

/** Constants of a graph and of those within: a node in a branch may read those of the graphs around it. */
export function constantsIn(graph: Graph): ConstantLookup {
  const found = new Map<Value, Tensor>();
  for (const each of allGraphs(graph)) {
    for (const value of [...each.initializers.keys(), ...each.nodes.flatMap(constantOutput)]) {
      const tensor = constantOf(each, value);
      if (tensor) found.set(value, tensor);
    }
  }
  return (value) => value && found.get(value);
}

function constantOutput({ opType, outputs: [output] }: Node): Value[] {
  return opType === "Constant" && output ? [output] : [];
}

/** The graphs held directly by a node's attributes. */
export function subgraphsOf(node: Node): Graph[] {
  const graphs: Graph[] = [];
  for (const attribute of node.attributes.values()) {
    if (attribute.type === "graph") graphs.push(attribute.value);
    if (attribute.type === "graphs") for (const graph of attribute.value) graphs.push(graph);
  }
  return graphs;
}

/** `graph` and every graph inside it, outermost first. */
export function* allGraphs(graph: Graph): Generator<Graph> {
  yield graph;
  for (const node of graph.nodes) for (const inner of subgraphsOf(node)) yield* allGraphs(inner);
}

/** Every node of a model: main graph, subgraphs and functions. */
export function* allNodes(model: Model): Generator<Node> {
  for (const graph of allGraphs(model.graph)) yield* graph.nodes;
  for (const { nodes } of model.functions) {
    for (const node of nodes) {
      yield node;
      for (const inner of subgraphsOf(node)) for (const graph of allGraphs(inner)) yield* graph.nodes;
    }
  }
}

/** Values that the node reads: its inputs, then what its subgraphs capture from around them. */
export function readsOf(node: Node): Value[] {
  const reads = node.inputs.filter((value): value is Value => value !== undefined);
  for (const inner of subgraphsOf(node)) for (const value of capturesOf(inner)) reads.push(value);
  return reads;
}

/** Values that a subgraph uses but does not define. */
export function capturesOf(graph: Graph): Value[] {
  const defined = new Set<Value>([...graph.inputs, ...graph.initializers.keys()]);
  for (const node of graph.nodes) for (const output of node.outputs) if (output) defined.add(output);
  const captured = new Set<Value>();
  for (const node of graph.nodes) for (const value of readsOf(node)) if (!defined.has(value)) captured.add(value);
  for (const value of graph.outputs) if (!defined.has(value)) captured.add(value);
  return [...captured];
}

/** Every value that the graph itself defines or mentions, in order of appearance. */
export function valuesOf(graph: Graph): Set<Value> {
  const values = new Set<Value>([...graph.inputs, ...graph.initializers.keys()]);
  for (const node of graph.nodes) {
    for (const value of [...node.inputs, ...node.outputs]) if (value) values.add(value);
  }
  for (const value of graph.outputs) values.add(value);
  return values;
}

function addUses(node: Node, uses: Map<Value, Use[]>): void {
  node.inputs.forEach((value, input) => {
    if (value) push(uses, value, { node, input });
  });
  for (const graph of subgraphsOf(node)) {
    for (const inner of graph.nodes) addUses(inner, uses);
    for (const output of graph.outputs) push(uses, output, { node, input: -1 });
  }
}

function push(uses: Map<Value, Use[]>, value: Value, use: Use): void {
  const list = uses.get(value);
  if (list) list.push(use);
  else uses.set(value, [use]);
}
