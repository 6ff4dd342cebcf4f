/** @file What a value is computed from, and what is computed for it alone. */
import { type Graph, indexOf, type Node, producerOf, readsOf, type Value } from "../../ir/index.ts";

/** The nodes that a value needs. */
export function ancestors(graph: Graph, value: Value): Set<Node> {
  const found = new Set<Node>();
  const open = [value];
  for (let next = open.pop(); next; next = open.pop()) {
    const node = producerOf(graph, next);
    if (!node || found.has(node)) continue;
    found.add(node);
    for (const item of readsOf(node)) open.push(item);
  }
  return found;
}

/** The node and those that are computed for it alone. */
export function exclusive(graph: Graph, last: Node): Set<Node> {
  const { uses } = indexOf(graph);
  const needed = ancestors(graph, last.outputs[0]!);
  const inner = new Set([last]);
  for (const node of graph.nodes.toReversed()) {
    if (!needed.has(node) || inner.has(node)) continue;
    const isInner = node.outputs.every(
      (value) => !value || (uses.get(value) ?? []).every((use) => use.node && inner.has(use.node)),
    );
    if (isInner) inner.add(node);
  }
  return inner;
}
