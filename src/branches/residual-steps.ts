/** @file Residual steps of a graph, found by its edges alone: y = x + f(x), whatever the nodes are called. */
import { must, nth } from "../checked.ts";
import {
  ancestors,
  type Graph,
  type Model,
  type Node,
  readsOf,
  sameValueType,
  UNKNOWN_DIM,
  type Value,
  type ValueType,
} from "../ir/index.ts";
import { inferModel } from "../ops/index.ts";

/**
 * sum = input + Σ terms, where every term is computed from `input` and nothing between is read elsewhere;
 * output = tail(sum), the sum itself where the tail is empty.
 */
export interface ResidualStep {
  readonly input: Value;
  /** The nodes between the input and the terms, in order. */
  readonly members: readonly Node[];
  readonly terms: readonly Value[];
  /** The additions that make the sum, the last one last. */
  readonly additions: readonly Node[];
  readonly sum: Value;
  /** Nodes between the sum and the input of the next step that read nothing else: an activation, a norm. */
  readonly tail: readonly Node[];
  readonly output: Value;
}

/** A graph as the search sees it. */
export interface Surroundings {
  readonly graph: Graph;
  readonly position: ReadonlyMap<Node, number>;
  readonly producer: ReadonlyMap<Value, Node>;
  /** Nodes of the graph that read a value, by themselves or inside their subgraphs. */
  readonly readers: ReadonlyMap<Value, readonly Node[]>;
  readonly outputs: ReadonlySet<Value>;
  type(value: Value): ValueType | undefined;
}

export function surroundingsOf(model: Model): Surroundings {
  const { graph } = model;
  const { types } = inferModel(model);
  const producer = new Map<Value, Node>();
  const readers = new Map<Value, Node[]>();
  for (const node of graph.nodes) {
    for (const output of node.outputs) if (output) producer.set(output, node);
    for (const value of new Set(readsOf(node))) {
      const known = readers.get(value);
      if (known) known.push(node);
      else readers.set(value, [node]);
    }
  }
  return {
    graph,
    producer,
    readers,
    position: new Map(graph.nodes.map((node, i) => [node, i])),
    outputs: new Set(graph.outputs),
    type: (value) => types.get(value) ?? value.type,
  };
}

/** A step of more nodes is no repeated block of a network but a connection across half of it. */
const MOST_NODES = 2000;

/** All steps of the graph, tails left open, in order. Their number is at most that of the additions. */
export function residualSteps(surroundings: Surroundings): ResidualStep[] {
  return surroundings.graph.nodes.flatMap((node) => {
    if (!isAddition(node, surroundings) || absorbing(node, surroundings)) return [];
    const tree = additionTree(node, surroundings);
    return stepOf(node, tree, surroundings) ?? [];
  });
}

/** An addition of two tensors of one known type, so that nothing is broadcast. */
function isAddition({ opType, domain, inputs, outputs }: Node, { type }: Surroundings): boolean {
  if (opType !== "Add" || domain !== "" || inputs.length !== 2) return false;
  const [a, b, y] = [...inputs, outputs[0]].map((value) => value && type(value));
  return isKnown(y) && sameValueType(a, y) && sameValueType(b, y);
}

function isKnown(type: ValueType | undefined): boolean {
  return type?.kind === "tensor" && type.dims !== undefined && !type.dims.includes(UNKNOWN_DIM);
}

/** The addition that alone reads the result of this one. */
function absorbing(node: Node, surroundings: Surroundings): Node | undefined {
  const reader = soleReader(nth(node.outputs, 0), surroundings);
  return reader && isAddition(reader, surroundings) ? reader : undefined;
}

function soleReader(value: Value, { readers, outputs }: Surroundings): Node | undefined {
  const found = readers.get(value) ?? [];
  return found.length === 1 && !outputs.has(value) ? found[0] : undefined;
}

interface AdditionTree {
  readonly additions: readonly Node[];
  readonly leaves: readonly Value[];
}

/** The additions that only serve this one, and what they add up. */
function additionTree(root: Node, surroundings: Surroundings): AdditionTree {
  const additions: Node[] = [];
  const leaves: Value[] = [];
  const open: Value[] = [nth(root.outputs, 0)];
  for (let value = open.pop(); value; value = open.pop()) {
    const node = surroundings.producer.get(value);
    const isInner = node && isAddition(node, surroundings) && (node === root || absorbing(node, surroundings));
    if (!isInner) leaves.push(value);
    else {
      additions.push(node);
      open.push(nth(node.inputs, 1), nth(node.inputs, 0));
    }
  }
  return { additions: additions.reverse(), leaves };
}

/** The step whose sum is made by `root`: its input is the first of the terms, and the others depend on it. */
function stepOf(root: Node, { additions, leaves }: AdditionTree, surroundings: Surroundings): ResidualStep | undefined {
  const { position, producer, readers, outputs } = surroundings;
  const made = (value: Value) => {
    const node = producer.get(value);
    return (node && position.get(node)) ?? -1;
  };
  const input = leaves.reduce((first, value) => (made(value) < made(first) ? value : first));
  const terms = leaves.filter((value) => value !== input);
  if (terms.length !== leaves.length - 1) return undefined;
  const members = between(input, terms, [made(input), must(position, root)], surroundings);
  if (!members) return undefined;
  const inside = new Set<Node>([...members, ...additions]);
  const isInside = (node: Node | undefined): boolean => node !== undefined && inside.has(node);
  const isClosed = members.every(({ outputs: results }) =>
    results.every((value) => !value || (!outputs.has(value) && (readers.get(value) ?? []).every((x) => inside.has(x)))),
  );
  if (!isClosed || !terms.every((term) => isInside(producer.get(term)))) return undefined;
  const sum = nth(root.outputs, 0);
  return { input, members, terms, additions, sum, tail: [], output: sum };
}

/** The nodes between two positions that depend on the input and that a term depends on. */
function between(
  input: Value,
  terms: readonly Value[],
  [start, end]: readonly [number, number],
  { graph, producer, position }: Surroundings,
): Node[] | undefined {
  if (end - start > MOST_NODES) return undefined;
  const needed = ancestors(terms, (value) => {
    const node = producer.get(value);
    return node && must(position, node) > start ? node : undefined;
  });
  const reached = new Set<Value>([input]);
  return graph.nodes.slice(start + 1, end).filter((node) => {
    if (!needed.has(node) || !readsOf(node).some((value) => reached.has(value))) return false;
    for (const output of node.outputs) if (output) reached.add(output);
    return true;
  });
}
