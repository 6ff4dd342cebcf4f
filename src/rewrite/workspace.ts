/** @file A graph while it is rewritten: nodes in order with their uses kept current, so a rewrite costs what it touches. */
import {
  editGraph,
  type Graph,
  type Initializer,
  isSparse,
  makeNode,
  type Names,
  type Node,
  readsOf,
  subgraphsOf,
  type Tensor,
  uniquely,
  type Value,
} from "../ir/index.ts";

/** A place in the order of nodes. Its node's values are swapped when it is looked at, all of them in one go, however many there are. */
export class Slot {
  alive = true;
  previous: Slot | undefined;
  next: Slot | undefined;
  #node: Node;
  readonly #inputs = new Map<Value, Value>();
  readonly #outputs = new Map<Value, Value>();

  constructor(node: Node, previous?: Slot, next?: Slot) {
    this.#node = node;
    this.previous = previous;
    this.next = next;
  }

  get node(): Node {
    if (this.#inputs.size + this.#outputs.size === 0) return this.#node;
    const { inputs, outputs } = this.#node;
    this.#node = { ...this.#node, inputs: swapped(inputs, this.#inputs), outputs: swapped(outputs, this.#outputs) };
    this.#inputs.clear();
    this.#outputs.clear();
    return this.#node;
  }

  swapInput(from: Value, to: Value): void {
    this.#settle(this.#inputs, to);
    this.#inputs.set(from, to);
  }

  swapOutput(from: Value, to: Value): void {
    this.#settle(this.#outputs, to);
    this.#outputs.set(from, to);
  }

  /** What becomes a value that was swapped itself before is not swapped on. */
  #settle(swaps: ReadonlyMap<Value, Value>, to: Value): void {
    if (swaps.has(to)) void this.node;
  }
}

type Values = Node["inputs"];

function swapped(values: Values, swaps: ReadonlyMap<Value, Value>): Values {
  if (swaps.size === 0) return values;
  return values.map((value) => {
    let current = value;
    for (let next = current && swaps.get(current); next; next = swaps.get(next)) current = next;
    return current;
  });
}

export class Workspace {
  readonly #graph: Graph;
  readonly #inputs: ReadonlySet<Value>;
  readonly #outputs: ReadonlySet<Value>;
  readonly #initializers: Map<Value, Initializer>;
  readonly #producers = new Map<Value, Slot>();
  readonly #uses = new Map<Value, Set<Slot>>();
  readonly #redirects = new Map<Value, Value>();
  readonly #head: Slot;
  #tail: Slot;
  #changed = false;

  constructor(graph: Graph) {
    this.#graph = graph;
    this.#inputs = new Set(graph.inputs);
    this.#outputs = new Set(graph.outputs);
    this.#initializers = new Map(graph.initializers);
    this.#head = new Slot(makeNode("", [], []));
    this.#tail = this.#head;
    for (const node of graph.nodes) this.#tail = this.#link(node, this.#tail);
  }

  *slots(): Generator<Slot> {
    for (let slot = this.#head.next; slot; slot = slot.next) yield slot;
  }

  producer(value: Value): Slot | undefined {
    return this.#producers.get(value);
  }

  /** Nodes that read `value`, holders of subgraphs that capture it included. */
  consumers(value: Value): Slot[] {
    return [...(this.#uses.get(value) ?? [])];
  }

  soleConsumer(value: Value): Node | undefined {
    const uses = this.#uses.get(value);
    if (uses?.size !== 1 || this.#outputs.has(value)) return undefined;
    const [slot] = uses;
    return slot && slot.node.inputs.filter((input) => input === value).length === 1 ? slot.node : undefined;
  }

  isInput(value: Value): boolean {
    return this.#inputs.has(value);
  }

  isOutput(value: Value): boolean {
    return this.#outputs.has(value);
  }

  isUsed(value: Value): boolean {
    return this.#outputs.has(value) || (this.#uses.get(value)?.size ?? 0) > 0;
  }

  owns(value: Value): boolean {
    return this.#producers.has(value) || this.#initializers.has(value) || this.#inputs.has(value);
  }

  /** The dense tensor behind an initializer, whether or not a caller could override it. */
  initializer(value: Value): Tensor | undefined {
    const data = this.#initializers.get(value);
    return data && !isSparse(data) ? data : undefined;
  }

  addInitializer(value: Value, data: Initializer): void {
    this.#initializers.set(value, data);
    this.#changed = true;
  }

  /** Puts `nodes` before `place`. */
  insert(place: Slot, nodes: readonly Node[]): Slot[] {
    this.#changed = true;
    return nodes.map((node) => this.#link(node, place.previous ?? this.#head));
  }

  /** Takes a node out, and then every node and initializer that nothing reads any more because of it. */
  remove(slot: Slot): void {
    this.#changed = true;
    const pending = [slot];
    for (let dead = pending.pop(); dead; dead = pending.pop()) {
      if (!dead.alive) continue;
      this.#unlink(dead);
      for (const value of readsOf(dead.node)) {
        const read = this.#resolve(value);
        this.#uses.get(read)?.delete(dead);
        if (this.isUsed(read)) continue;
        if (!this.#inputs.has(read)) this.#initializers.delete(read);
        const maker = this.#producers.get(read);
        if (maker && !maker.node.outputs.some((output) => output && this.isUsed(output))) pending.push(maker);
      }
    }
  }

  /** Every use of `from` by a node becomes a use of `to`. */
  redirect(from: Value, to: Value): void {
    this.#changed = true;
    this.#redirects.set(from, to);
    const moved = this.#uses.get(from);
    if (!moved) return;
    this.#uses.delete(from);
    for (const slot of moved) {
      this.#use(to, slot);
      slot.swapInput(from, to);
    }
  }

  /** The node that makes `from` makes `to` instead, which nothing made before. */
  rename(from: Value, to: Value): void {
    const slot = this.#producers.get(from);
    if (!slot) return;
    this.redirect(from, to);
    this.#producers.delete(from);
    this.#producers.set(to, slot);
    slot.swapOutput(from, to);
  }

  /** The graph as it is now; nodes whose name another has get one of `names`. */
  finish(names: Names): Graph {
    if (!this.#changed) return this.#graph;
    const nodes = Array.from(this.slots(), (slot) => slot.node);
    const made: Graph = { ...this.#graph, nodes, initializers: this.#initializers };
    const graph = { ...made, nodes: uniquely(this.#graph, made, names).nodes };
    if (this.#redirects.size === 0 || !nodes.some((node) => subgraphsOf(node).length > 0)) return graph;
    return editGraph(graph, (draft) => {
      for (const from of this.#redirects.keys()) draft.replaceValue(from, this.#resolve(from));
    });
  }

  #resolve(value: Value): Value {
    let current = value;
    for (let next = this.#redirects.get(current); next; next = this.#redirects.get(current)) current = next;
    return current;
  }

  #link(node: Node, previous: Slot): Slot {
    const slot = new Slot(node, previous, previous.next);
    if (previous.next) previous.next.previous = slot;
    else this.#tail = slot;
    previous.next = slot;
    for (const value of readsOf(node)) this.#use(value, slot);
    for (const value of node.outputs) if (value) this.#producers.set(value, slot);
    return slot;
  }

  #unlink(slot: Slot): void {
    slot.alive = false;
    if (slot.previous) slot.previous.next = slot.next;
    if (slot.next) slot.next.previous = slot.previous;
    else this.#tail = slot.previous ?? this.#head;
    for (const value of slot.node.outputs) {
      if (value && this.#producers.get(value) === slot) this.#producers.delete(value);
    }
  }

  #use(value: Value, slot: Slot): void {
    const uses = this.#uses.get(value);
    if (uses) uses.add(slot);
    else this.#uses.set(value, new Set([slot]));
  }
}
