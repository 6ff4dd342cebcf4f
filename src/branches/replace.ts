/** @file Puts emitted nodes in the place of others and brings the graph in order again. */
import {
  type Graph,
  type GraphBuilder,
  inOrder,
  type Node,
  readsOf,
  type Value,
  withoutDeadNodes,
} from "../ir/index.ts";

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
  const live = withoutDeadNodes(emitted, new Map(), [...stay.flatMap(readsOf), ...graph.outputs]).nodes;
  const lost = new Set([...removed].flatMap(readsOf));
  const kept = withoutLostConstants([...stay, ...live], lost, graph.outputs);
  const read = new Set([...kept.flatMap(readsOf), ...graph.outputs]);
  const isKept = (value: Value): boolean => read.has(value) || !lost.has(value) || graph.inputs.includes(value);
  const before = [...graph.initializers].filter(([value]) => isKept(value));
  const fresh = [...g.initializers].filter(([value]) => read.has(value));
  const result: Graph = {
    ...graph,
    nodes: inOrder(kept, "fused branches"),
    initializers: new Map([...before, ...fresh]),
  };
  return { result, emitted: live.length };
}

function withoutLostConstants(nodes: readonly Node[], lost: ReadonlySet<Value>, outputs: readonly Value[]): Node[] {
  const read = new Set([...nodes.flatMap(readsOf), ...outputs]);
  return nodes.filter(
    (node) =>
      node.opType !== "Constant" || node.outputs.some((value) => value && (read.has(value) || !lost.has(value))),
  );
}
