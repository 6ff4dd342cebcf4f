/** @file Puts emitted nodes in the place of others and brings the graph in order again. */
import { type Graph, type GraphBuilder, type Node, readsOf, type Value } from "../ir/index.ts";

/** What leaves the graph, and what the emitted nodes have to give. */
export interface Replacement {
  readonly removed: ReadonlySet<Node>;
  /** Emitted values that take the place of values of the graph. */
  readonly given: ReadonlyMap<Value, Value>;
  /** Nodes besides those of the builder, which make values of the graph. */
  readonly added: readonly Node[];
}

/** The graph with the replacement made, without emitted nodes that nothing reads and constants that nothing reads any more. */
export function replaced(graph: Graph, g: GraphBuilder, { removed, given, added }: Replacement) {
  const stands = new Map([...given].map(([place, made]) => [made, place]));
  const renamed = (values: Node["inputs"]): Node["inputs"] =>
    values.map((value) => (value && stands.get(value)) ?? value);
  const emitted = [...g.nodes, ...added].map((node) => ({
    ...node,
    inputs: renamed(node.inputs),
    outputs: renamed(node.outputs),
  }));
  const stay = graph.nodes.filter((node) => !removed.has(node));
  const live = living(emitted, [...stay.flatMap(readsOf), ...graph.outputs]);
  const lost = new Set([...removed].flatMap(readsOf));
  const kept = withoutLostConstants([...stay, ...live], lost, graph.outputs);
  const read = new Set([...kept.flatMap(readsOf), ...graph.outputs]);
  const isKept = (value: Value): boolean => read.has(value) || !lost.has(value) || graph.inputs.includes(value);
  const before = [...graph.initializers].filter(([value]) => isKept(value));
  const fresh = [...g.initializers].filter(([value]) => read.has(value));
  const result: Graph = { ...graph, nodes: inOrder(kept), initializers: new Map([...before, ...fresh]) };
  return { result, emitted: live.length };
}

/** The nodes of a list in order that lead to values that are read. */
function living(nodes: readonly Node[], read: readonly Value[]): Node[] {
  const needed = new Set(read);
  const live: Node[] = [];
  for (const node of nodes.toReversed()) {
    if (!node.outputs.some((value) => value && needed.has(value))) continue;
    live.push(node);
    for (const value of readsOf(node)) needed.add(value);
  }
  return live.toReversed();
}

function withoutLostConstants(nodes: readonly Node[], lost: ReadonlySet<Value>, outputs: readonly Value[]): Node[] {
  const read = new Set([...nodes.flatMap(readsOf), ...outputs]);
  return nodes.filter(
    (node) =>
      node.opType !== "Constant" || node.outputs.some((value) => value && (read.has(value) || !lost.has(value))),
  );
}

/** The nodes in topological order, close to the order that they come in. */
function inOrder(nodes: readonly Node[]): Node[] {
  const makers = new Map<Value, Node>();
  for (const node of nodes) for (const value of node.outputs) if (value) makers.set(value, node);
  const done = new Set<Node>();
  const opened = new Set<Node>();
  const pending = nodes.toReversed();
  for (let node = pending.pop(); node; node = pending.pop()) {
    if (done.has(node)) continue;
    const before = opened.has(node)
      ? []
      : readsOf(node)
          .flatMap((value) => makers.get(value) ?? [])
          .filter((maker) => !done.has(maker));
    opened.add(node);
    if (before.length > 0) {
      pending.push(node);
      for (const item of before) pending.push(item);
    } else done.add(node);
  }
  return [...done];
}
