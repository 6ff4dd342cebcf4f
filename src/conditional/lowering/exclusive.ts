/** @file What is computed for one node alone. */
import { nth } from "../../checked.ts";
import { ancestors, type Graph, indexOf, type Node } from "../../ir/index.ts";

/** The node and those that are computed for it alone. */
export function exclusive(graph: Graph, last: Node): Set<Node> {
  const { uses, producers } = indexOf(graph);
  const needed = ancestors([nth(last.outputs, 0)], (value) => producers.get(value));
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
