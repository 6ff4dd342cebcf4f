/** @file Heads: isomorphic subgraphs over common inputs, each of which makes an output of the graph. */
import { type Graph, indexOf, type Node, type Value } from "../ir/index.ts";
import { type Isomorphism, isomorphism, type TypeOf } from "../rewrite/index.ts";
import { classesOf } from "./classes.ts";
import { hasWeights } from "./find-branches.ts";

export interface HeadGroup extends Isomorphism {
  readonly outputs: readonly Value[];
}

/**
 * The heads of a graph: at least two outputs that are made alike from the same values by parameters of their own, one of rank 2 or
 * more. Nothing else reads what lies within a head. Groups share no node; no names count.
 * @param typeOf types of values; by default those that the values carry.
 */
export function headGroupsOf(graph: Graph, typeOf: TypeOf = ({ type }) => type): readonly HeadGroup[] {
  const { classOf } = classesOf(graph, typeOf);
  const byClass = new Map<number, Value[]>();
  for (const value of graph.outputs) byClass.set(classOf(value), [...(byClass.get(classOf(value)) ?? []), value]);
  const taken = new Set<Node>();
  return [...byClass.values()].flatMap((outputs) => {
    const found = outputs.length > 1 ? isomorphism(graph, outputs, typeOf) : undefined;
    if (!found || !hasWeights(graph, found) || !isClosed(graph, found, outputs)) return [];
    const nodes = found.nodes.flat();
    if (nodes.some((node) => taken.has(node))) return [];
    for (const node of nodes) taken.add(node);
    return [{ ...found, outputs }];
  });
}

/** What lies within a head is read there and nowhere else. */
function isClosed(graph: Graph, { nodes }: Isomorphism, outputs: readonly Value[]): boolean {
  const { uses } = indexOf(graph);
  return nodes.every((head, b) => {
    const own = new Set(head);
    const isInner = (value: Value | undefined): value is Value => value !== undefined && value !== outputs[b];
    const inner = head.flatMap((node) => node.outputs.filter(isInner));
    return inner.every((value) => (uses.get(value) ?? []).every(({ node }) => node && own.has(node)));
  });
}
