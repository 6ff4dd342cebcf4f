/** @file Isomorphic parts of one graph: the same operators in the same wiring over common inputs, with constants of their own. */
import { atLeast, must, nth } from "../checked.ts";
import {
  constantOf,
  dataTypes,
  type Graph,
  type Node,
  producerOf,
  readsOf,
  sameAttributes,
  sameDim,
  sameTensor,
  subgraphsOf,
  type Tensor,
  type Value,
  type ValueType,
} from "../ir/index.ts";

/** Node sets that correspond one to one; `[b][i]` stands in set b where `[0][i]` stands in the first. */
export interface Isomorphism {
  /** What all sets read from outside alike: values that are computed, and constants that they share. */
  readonly inputs: readonly Value[];
  /** What the sets read from outside at the same places and is another value for each; types are equal. */
  readonly parts: readonly (readonly Value[])[];
  /** In topological order; without `Constant` nodes. */
  readonly nodes: readonly (readonly Node[])[];
  /** Initializers and `Constant`s of each set. Types are equal; floats belong to one set, others are equal in content. */
  readonly constants: readonly (readonly Value[])[];
}

export type TypeOf = (value: Value) => ValueType | undefined;

/**
 * Walks from values that should correspond against the edges, as far as operators, attributes (by content), wiring and
 * the types of constants agree, and to where the sets meet. What does not agree there has to have one type.
 * @returns `undefined` when the values do not correspond, or when one set reads what another one makes.
 */
export function isomorphism(graph: Graph, roots: readonly Value[], typeOf: TypeOf): Isomorphism | undefined {
  const walk = new Walk(graph, typeOf);
  if (new Set(roots).size !== roots.length || !walk.from(roots)) return undefined;
  const found = walk.found(roots.length);
  return isIndependent(graph, found) ? found : undefined;
}

type Row<T> = readonly T[];

class Walk {
  readonly #graph: Graph;
  readonly #typeOf: TypeOf;
  /** By the value of the first set. */
  readonly #rows = new Map<Value, Row<Value>>();
  readonly #inputs = new Set<Value>();
  readonly #parts: Row<Value>[] = [];
  readonly #constants: Row<Value>[] = [];
  readonly #nodes = new Map<Node, Row<Node>>();
  readonly #met = new Set<Node>();

  constructor(graph: Graph, typeOf: TypeOf) {
    this.#graph = graph;
    this.#typeOf = typeOf;
  }

  from(roots: Row<Value>): boolean {
    const pending: Row<Value>[] = [roots];
    for (let row = pending.pop(); row; row = pending.pop()) {
      const known = this.#rows.get(nth(row, 0));
      if (known) {
        if (known.some((value, b) => value !== row[b])) return false;
        continue;
      }
      this.#rows.set(nth(row, 0), row);
      if (row.every((value) => value === row[0])) this.#inputs.add(nth(row, 0));
      else if (this.#areConstants(row)) this.#constants.push(row);
      else {
        const nodes = this.#nodesOf(row);
        if (!nodes) {
          if (row === roots || !this.#areParts(row)) return false;
          this.#parts.push(row);
        } else if (!this.#take(nodes, pending)) return false;
      }
    }
    return this.#areApart();
  }

  found(count: number): Isomorphism {
    const order = new Map(this.#graph.nodes.map((node, i) => [node, i]));
    const rows = [...this.#nodes.values()].toSorted((a, b) => must(order, nth(a, 0)) - must(order, nth(b, 0)));
    return {
      inputs: [...this.#inputs],
      parts: columns(this.#parts, count),
      nodes: columns(rows, count),
      constants: columns(this.#constants, count),
    };
  }

  #take(nodes: Row<Node>, pending: Row<Value>[]): boolean {
    const [first] = atLeast(nodes, 1);
    if (!first || this.#nodes.has(first)) return this.#nodes.get(first)?.every((node, b) => node === nodes[b]) ?? false;
    for (const node of nodes) {
      if (this.#met.has(node)) return false;
      this.#met.add(node);
    }
    this.#nodes.set(first, nodes);
    first.inputs.forEach((input, i) => {
      if (input) pending.push(nodes.map((node) => nth(node.inputs, i)));
    });
    return true;
  }

  /** The nodes that make the values, where these agree. */
  #nodesOf(row: Row<Value>): Row<Node> | undefined {
    const nodes = row.map((value) => producerOf(this.#graph, value));
    const [first] = nodes;
    if (!first || subgraphsOf(first).length > 0) return undefined;
    const output = first.outputs.indexOf(row[0]);
    const agree = nodes.every(
      (node, b): node is Node =>
        node !== undefined && node.outputs.indexOf(row[b]) === output && this.#agree(first, node),
    );
    return agree ? (nodes as Node[]) : undefined;
  }

  #agree(a: Node, b: Node): boolean {
    const isAlike = a.opType === b.opType && a.domain === b.domain && (a.overload ?? "") === (b.overload ?? "");
    if (!isAlike || !samePresence(a.inputs, b.inputs) || !samePresence(a.outputs, b.outputs)) return false;
    if (!sameAttributes(a.attributes, b.attributes)) return false;
    return a.inputs.every((value, i) => value === b.inputs[i] || this.#agreeAsConstants(value, b.inputs[i]));
  }

  /** Of two values that are constants both or neither: whether the constants may stand for one another. */
  #agreeAsConstants(a: Value | undefined, b: Value | undefined): boolean {
    const [x, y] = [constantOf(this.#graph, a), constantOf(this.#graph, b)];
    if (!x || !y) return x === y;
    if (x.dtype !== y.dtype || x.dims.join() !== y.dims.join()) return false;
    return mayDiffer(x) || sameTensor(x, y);
  }

  #areConstants(row: Row<Value>): boolean {
    const { inputs } = this.#graph;
    return row.every((value) => constantOf(this.#graph, value) !== undefined && !inputs.includes(value));
  }

  #areParts(row: Row<Value>): boolean {
    const [first, ...others] = row.map((value) => this.#typeOf(value));
    if (first?.kind !== "tensor" || !first.dims) return false;
    const { dtype, dims } = first;
    return others.every(
      (type) =>
        type?.kind === "tensor" &&
        type.dtype === dtype &&
        type.dims?.length === dims.length &&
        type.dims.every((dim, i) => sameDim(dim, nth(dims, i))),
    );
  }

  /** A parameter of two sets, or of one at two places, belongs to none. */
  #areApart(): boolean {
    const own = this.#constants.flat().filter((value) => mayDiffer(constantOf(this.#graph, value)!));
    return new Set(own).size === own.length && own.every((value) => !this.#inputs.has(value));
  }
}

/** Floats are numbers that a branch has learned; integers are shapes, axes and indices. */
function mayDiffer({ dtype }: Tensor): boolean {
  return dataTypes[dtype].kind === "float";
}

function samePresence(a: Row<Value | undefined>, b: Row<Value | undefined>): boolean {
  return a.length === b.length && a.every((value, i) => (value === undefined) === (b[i] === undefined));
}

/** Nothing that the sets read from outside depends on what they make. */
function isIndependent(graph: Graph, { nodes, inputs, parts }: Isomorphism): boolean {
  const members = new Set(nodes.flat());
  const behind = new Set<Value>();
  for (const node of graph.nodes) {
    if (!members.has(node) && !readsOf(node).some((value) => behind.has(value))) continue;
    for (const value of node.outputs) if (value) behind.add(value);
  }
  return [...inputs, ...parts.flat()].every((value) => !behind.has(value));
}

function columns<T>(rows: readonly Row<T>[], count: number): readonly Row<T>[] {
  return Array.from({ length: count }, (_, b) => rows.map((row) => nth(row, b)));
}
