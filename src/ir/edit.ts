/** @file Edits: a draft collects changes to a graph, then a new graph is made that shares all that was not touched. */
import { InvalidModelError } from "../errors.ts";
import { type AttributeLiteral, attributeFrom } from "./attribute.ts";
import { type Attributes, describeNode, type Graph, type Model, type Node, type Value, withGraph } from "./graph.ts";
import { type Names, names, namesIn, namesOf } from "./names.ts";
import type { Initializer } from "./tensor.ts";
import { subgraphsOf } from "./traverse.ts";
import type { ValueType } from "./types.ts";
import { uniquely } from "./unique-names.ts";

export interface NodeParts {
  readonly domain?: string;
  readonly name?: string;
  readonly attributes?: Attributes | Readonly<Record<string, AttributeLiteral | undefined>>;
  readonly metadata?: ReadonlyMap<string, string>;
}

/** A node over given values; attributes that are `undefined` are left out. */
export function makeNode(
  opType: string,
  inputs: readonly (Value | undefined)[],
  outputs: readonly (Value | undefined)[],
  { domain = "", name = "", attributes = {}, metadata }: NodeParts = {},
): Node {
  const node = { opType, domain, name, inputs, outputs, attributes: attributesFrom(attributes) };
  return metadata ? { ...node, metadata } : node;
}

export function attributesFrom(literals: NonNullable<NodeParts["attributes"]>): Attributes {
  if (literals instanceof Map) return literals;
  const attributes = new Map();
  for (const [name, literal] of Object.entries(literals))
    if (literal !== undefined) attributes.set(name, attributeFrom(literal));
  return attributes;
}

export interface Draft {
  /** The graph as it was; the draft's own changes do not show in it. */
  readonly graph: Graph;
  /** The original nodes that were not removed so far. */
  nodes(): Node[];
  nodesOfType(opType: string, domain?: string): Node[];
  /** A new value with a fresh name. */
  value(name: string, type?: ValueType): Value;
  /** A new initializer with a fresh name. */
  constant(name: string, tensor: Initializer, type?: ValueType): Value;
  /** Gives an existing initializer other data. */
  setInitializer(value: Value, tensor: Initializer): void;
  removeInitializer(value: Value): void;
  insertBefore(node: Node, ...added: Node[]): void;
  insertAfter(node: Node, ...added: Node[]): void;
  append(...added: Node[]): void;
  prepend(...added: Node[]): void;
  remove(node: Node): void;
  /** Puts `added` in the place of `node`. */
  replaceNode(node: Node, ...added: Node[]): void;
  /** Every use of `from` by a node, inner graphs included, becomes a use of `to`. Graph outputs keep their values. */
  replaceValue(from: Value, to: Value): void;
  /** Puts `to` in the place of `from` everywhere: inputs, outputs, producers, initializers, uses. */
  substitute(from: Value, to: Value): void;
  setInputs(inputs: readonly Value[]): void;
  setOutputs(outputs: readonly Value[]): void;
}

/** Runs `edit` over a draft of `graph`; returns the same object when nothing was changed. */
export function editGraph(graph: Graph, edit: (draft: Draft) => void, scope?: Names): Graph {
  const state = new DraftState(graph, scope);
  edit(state);
  return state.finish();
}

/** Edits the main graph of a model. */
export function editModel(model: Model, edit: (draft: Draft) => void): Model {
  return withGraph(model, editGraph(model.graph, edit));
}

/** Applies `edit` to the main graph and, innermost first, to every subgraph. Function bodies are left alone. */
export function editAllGraphs(model: Model, edit: (draft: Draft) => void): Model {
  const scope = namesOf(model);
  const visit = (graph: Graph): Graph => editGraph(mapSubgraphs(graph, visit), edit, scope);
  return withGraph(model, visit(model.graph));
}

/** Replaces the graphs held by the nodes of `graph`; unchanged nodes and graphs are shared. */
export function mapSubgraphs(graph: Graph, change: (inner: Graph) => Graph): Graph {
  let changed = false;
  const nodes = graph.nodes.map((node) => {
    const next = withSubgraphs(node, change);
    changed ||= next !== node;
    return next;
  });
  return changed ? { ...graph, nodes } : graph;
}

function withSubgraphs(node: Node, change: (inner: Graph) => Graph): Node {
  if (subgraphsOf(node).length === 0) return node;
  let changed = false;
  const once = (inner: Graph): Graph => {
    const next = change(inner);
    changed ||= next !== inner;
    return next;
  };
  const attributes = new Map(node.attributes);
  for (const [name, attribute] of attributes) {
    if (attribute.type === "graph") attributes.set(name, { type: "graph", value: once(attribute.value) });
    if (attribute.type === "graphs") attributes.set(name, { type: "graphs", value: attribute.value.map(once) });
  }
  return changed ? { ...node, attributes } : node;
}

interface Slot {
  readonly before: Node[];
  readonly after: Node[];
  replaced: Node[] | undefined;
}

class DraftState implements Draft {
  readonly graph: Graph;
  readonly #slots = new Map<Node, Slot>();
  readonly #uses = new Map<Value, Value>();
  readonly #everywhere = new Map<Value, Value>();
  readonly #initializers: Map<Value, Initializer>;
  readonly #appended: Node[] = [];
  readonly #prepended: Node[] = [];
  #names: Names | undefined;
  #inputs: readonly Value[];
  #outputs: readonly Value[];
  #changed = false;
  #known: Set<Node> | undefined;

  constructor(graph: Graph, scope: Names | undefined) {
    this.graph = graph;
    this.#names = scope;
    this.#initializers = new Map(graph.initializers);
    this.#inputs = graph.inputs;
    this.#outputs = graph.outputs;
  }

  nodes(): Node[] {
    return this.graph.nodes.filter((node) => this.#slots.get(node)?.replaced === undefined);
  }

  nodesOfType(opType: string, domain = ""): Node[] {
    return this.nodes().filter((node) => node.opType === opType && node.domain === domain);
  }

  value(name: string, type?: ValueType): Value {
    this.#names ??= names(namesIn(this.graph));
    const fresh = this.#names.fresh(name);
    return type ? { name: fresh, type } : { name: fresh };
  }

  constant(name: string, tensor: Initializer, type?: ValueType): Value {
    const dtype = "indices" in tensor ? tensor.values.dtype : tensor.dtype;
    const value = this.value(name, type ?? { kind: "tensor", dtype, dims: tensor.dims });
    this.setInitializer(value, tensor);
    return value;
  }

  setInitializer(value: Value, tensor: Initializer): void {
    this.#initializers.set(value, tensor);
    this.#changed = true;
  }

  removeInitializer(value: Value): void {
    if (this.#initializers.delete(value)) this.#changed = true;
  }

  insertBefore(node: Node, ...added: Node[]): void {
    for (const item of added) this.#slot(node).before.push(item);
  }

  insertAfter(node: Node, ...added: Node[]): void {
    for (const item of added) this.#slot(node).after.push(item);
  }

  append(...added: Node[]): void {
    for (const item of added) this.#appended.push(item);
    this.#changed ||= added.length > 0;
  }

  prepend(...added: Node[]): void {
    for (const item of added) this.#prepended.push(item);
    this.#changed ||= added.length > 0;
  }

  remove(node: Node): void {
    this.replaceNode(node);
  }

  replaceNode(node: Node, ...added: Node[]): void {
    this.#slot(node).replaced = added;
  }

  replaceValue(from: Value, to: Value): void {
    this.#redirect(this.#uses, from, to);
  }

  substitute(from: Value, to: Value): void {
    this.#redirect(this.#everywhere, from, to);
  }

  setInputs(inputs: readonly Value[]): void {
    this.#inputs = inputs;
    this.#changed = true;
  }

  setOutputs(outputs: readonly Value[]): void {
    this.#outputs = outputs;
    this.#changed = true;
  }

  finish(): Graph {
    if (!this.#changed) return this.graph;
    const nodes: Node[] = [...this.#prepended];
    for (const node of this.graph.nodes) {
      const slot = this.#slots.get(node);
      if (!slot) nodes.push(node);
      else {
        for (const item of slot.before) nodes.push(item);
        for (const item of slot.replaced ?? [node]) nodes.push(item);
        for (const item of slot.after) nodes.push(item);
      }
    }
    for (const item of this.#appended) nodes.push(item);
    const place = (value: Value): Value => follow(this.#everywhere, value);
    const use = (value: Value): Value => place(follow(this.#uses, place(value)));
    const initializers = new Map([...this.#initializers].map(([value, data]) => [place(value), data]));
    const graph: Graph = {
      ...this.graph,
      nodes: this.#uses.size + this.#everywhere.size === 0 ? nodes : nodes.map((node) => redirected(node, use, place)),
      inputs: this.#inputs.map(place),
      outputs: this.#outputs.map(place),
      initializers,
    };
    return this.#isAdding ? withUniqueNames(this.graph, graph, this.#names) : graph;
  }

  /** Whether the draft puts in nodes or initializers; without, every name was there before. */
  get #isAdding(): boolean {
    const added = [...this.#slots.values()].some(
      ({ before, after, replaced = [] }) => before.length + after.length + replaced.length > 0,
    );
    return (
      added ||
      this.#appended.length + this.#prepended.length > 0 ||
      this.#initializers.size > this.graph.initializers.size
    );
  }

  #slot(node: Node): Slot {
    this.#known ??= new Set(this.graph.nodes);
    if (!this.#known.has(node)) {
      throw new InvalidModelError("a draft can only change nodes of its own graph", { got: describeNode(node) });
    }
    let slot = this.#slots.get(node);
    if (!slot) {
      slot = { before: [], after: [], replaced: undefined };
      this.#slots.set(node, slot);
    }
    this.#changed = true;
    return slot;
  }

  #redirect(map: Map<Value, Value>, from: Value, to: Value): void {
    if (from === to) return;
    if (follow(map, to) === from)
      throw new InvalidModelError("a value cannot replace itself in a circle", { got: from.name });
    map.set(from, to);
    this.#changed = true;
  }
}

/** The same graph where no name stands for two nodes or values of it. */
function withUniqueNames(before: Graph, after: Graph, scope: Names | undefined): Graph {
  const { nodes, renamed } = uniquely(before, after, scope);
  const graph = nodes === after.nodes ? after : { ...after, nodes };
  if (renamed.size === 0) return graph;
  return editGraph(graph, (draft) => {
    for (const [from, to] of renamed) draft.substitute(from, to);
  });
}

function follow(map: ReadonlyMap<Value, Value>, value: Value): Value {
  let current = value;
  for (let next = map.get(current); next; next = map.get(current)) current = next;
  return current;
}

function redirected(node: Node, use: (value: Value) => Value, place: (value: Value) => Value): Node {
  const inputs = mapKeeping(node.inputs, use);
  const outputs = mapKeeping(node.outputs, place);
  const outer = withSubgraphs(node, (inner) => redirectedGraph(inner, use, place));
  if (inputs === node.inputs && outputs === node.outputs) return outer;
  return { ...outer, inputs, outputs };
}

function redirectedGraph(graph: Graph, use: (value: Value) => Value, place: (value: Value) => Value): Graph {
  const nodes = mapKeeping(graph.nodes, (node) => (node ? redirected(node, use, place) : node)) as readonly Node[];
  const outputs = mapKeeping(graph.outputs, use) as readonly Value[];
  return nodes === graph.nodes && outputs === graph.outputs ? graph : { ...graph, nodes, outputs };
}

/** `map` that returns the same array when no element changed; omitted elements stay. */
function mapKeeping<T extends object>(
  items: readonly (T | undefined)[],
  change: (item: T) => T,
): readonly (T | undefined)[] {
  let changed = false;
  const next = items.map((item) => {
    const result = item && change(item);
    changed ||= result !== item;
    return result;
  });
  return changed ? next : items;
}
