/** @file What the constants of isomorphic sets are: one for all, or parameters that belong to each. */
import { nth } from "../checked.ts";
import { constantOf, dataTypes, type Graph, indexOf, type Node, sameTensor, type Value } from "../ir/index.ts";

/** Whether corresponding constants are one formula's. Parameters belong to their sets even where they are equal by now. */
export function isOneForAll(graph: Graph, values: readonly Value[]): boolean {
  const tensors = values.map((value) => constantOf(graph, value)!);
  const { dims, dtype } = nth(tensors, 0);
  const isParameter = dims.length > 0 && dataTypes[dtype].kind === "float" && graph.initializers.has(nth(values, 0));
  return !isParameter && tensors.every((tensor) => sameTensor(tensor, nth(tensors, 0)));
}

/** Tells of values whether they are initializers that nothing but the sets reads, so that one can stand for all. */
export function ownedBy(graph: Graph, sets: readonly (readonly Node[])[]): (values: readonly Value[]) => boolean {
  const members = new Set(sets.flat());
  const { uses } = indexOf(graph);
  const isOwned = (value: Value): boolean =>
    graph.initializers.has(value) &&
    (uses.get(value) ?? []).every(({ node }) => node !== undefined && members.has(node));
  return (values) => values.every(isOwned);
}
