/** @file What a set of values needs: everything else is dropped. */
import { type Graph, type Node, readsOf, type Value } from "../ir/index.ts";

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
