/** @file Walks over graphs: what values are made of, what depends on them, an order in which nodes can run. */
import { InvalidModelError } from "../errors.ts";
import { describeNode, type Graph, type Node, type Value } from "./graph.ts";
import { readsOf } from "./traverse.ts";

/** The node that makes a value; `undefined` where a walk ends. */
export type MakerOf = (value: Value) => Node | undefined;

/** Who makes which value, among these nodes. */
export function makersAmong(nodes: Iterable<Node>): Map<Value, Node> {
  const makers = new Map<Value, Node>();
  for (const node of nodes) for (const output of node.outputs) if (output) makers.set(output, node);
  return makers;
}

/** The nodes that values need, subgraphs' captures included, as far as `makerOf` tells. */
export function ancestors(values: Iterable<Value>, makerOf: MakerOf): Set<Node> {
  const found = new Set<Node>();
  const open = [...values];
  for (let value = open.pop(); value; value = open.pop()) {
    const node = makerOf(value);
    if (!node || found.has(node)) continue;
    found.add(node);
    for (const read of readsOf(node)) open.push(read);
  }
  return found;
}

/** Values that depend on one of `sources`, the sources included, by nodes that `passes` lets through. */
export function dependents(
  nodes: readonly Node[],
  sources: ReadonlySet<Value>,
  stopAt: ReadonlySet<Value> = new Set(),
  passes: (node: Node) => boolean = () => true,
): Set<Value> {
  const found = new Set<Value>(sources);
  for (const node of nodes) {
    if (!passes(node)) continue;
    if (!readsOf(node).some((value) => found.has(value) && !stopAt.has(value))) continue;
    for (const output of node.outputs) if (output) found.add(output);
  }
  return found;
}

/** What a graph is fed: its inputs but those that have a default. */
export function fedInputs({ inputs, initializers }: Pick<Graph, "inputs" | "initializers">): Value[] {
  return inputs.filter((value) => !initializers.has(value));
}

/** The nodes of a list in order, and the initializers, that lead to values that are wanted. */
export function withoutDeadNodes(
  nodes: readonly Node[],
  initializers: Graph["initializers"],
  wanted: Iterable<Value>,
): Pick<Graph, "nodes" | "initializers"> {
  const living = new Set<Value>(wanted);
  const kept = nodes.toReversed().filter((node) => {
    if (!node.outputs.some((value) => value && living.has(value))) return false;
    for (const value of readsOf(node)) living.add(value);
    return true;
  });
  return { nodes: kept.reverse(), initializers: new Map([...initializers].filter(([value]) => living.has(value))) };
}

/**
 * The nodes in topological order: as they stand when they are, else each after what it reads, otherwise in the order that they come in.
 * @throws InvalidModelError for a cycle, which it says is in `where`.
 */
export function inOrder(nodes: readonly Node[], where: string): readonly Node[] {
  const makers = makersAmong(nodes);
  const state = new Map<Node, "open" | "done">();
  const order: Node[] = [];
  for (const node of nodes) visit(node, makers, state, order, where);
  return order;
}

interface Frame {
  readonly node: Node;
  readonly reads: readonly Value[];
  next: number;
}

/** Depth first, with a stack of its own: chains may be longer than the call stack. */
function visit(
  root: Node,
  makers: ReadonlyMap<Value, Node>,
  state: Map<Node, "open" | "done">,
  order: Node[],
  where: string,
): void {
  if (state.has(root)) return;
  const stack: Frame[] = [];
  const open = (node: Node): void => {
    state.set(node, "open");
    stack.push({ node, reads: readsOf(node), next: 0 });
  };
  open(root);
  for (let frame = stack.at(-1); frame; frame = stack.at(-1)) {
    const read = frame.reads[frame.next++];
    if (frame.next > frame.reads.length) {
      state.set(frame.node, "done");
      order.push(frame.node);
      stack.pop();
      continue;
    }
    const maker = read && makers.get(read);
    if (!maker || state.get(maker) === "done") continue;
    if (state.get(maker) === "open") {
      throw new InvalidModelError("the graph has a cycle", { got: `through ${describeNode(maker)}`, where });
    }
    open(maker);
  }
}
