/** @file Where every node of a network with branches runs: in a branch, or between the sums, on one rank or on all. */

import type { BranchGroup } from "../../branches/index.ts";
import {
  ancestors,
  bytesOfTensor,
  constantOf,
  type Graph,
  isConstantNode,
  isSparse,
  maxOf,
  type Node,
  producerOf,
  readsOf,
  usesOf,
  type Value,
} from "../../ir/index.ts";

/** The network in stages: segment 0, branches 0 and their sum, segment 1, and so on to the segment after the last sum. */
export interface Stages {
  readonly groups: readonly BranchGroup[];
  /** By stage, in order; one more than groups. `Constant`s are in none. */
  readonly segments: readonly Segment[];
  /** Whether every rank needs a value: it goes into a branch, or into a node that every rank runs. */
  isNeededEverywhere(value: Value): boolean;
}

export interface Segment {
  /** Nodes that every rank runs, so that the branches need not wait for a broadcast. */
  readonly replicated: readonly Node[];
  /** Nodes that rank 0 runs alone. */
  readonly single: readonly Node[];
}

/**
 * A segment that leads to branches is replicated when it holds no more weights than one branch of its stage: then it
 * costs little memory, and no time, since the other ranks would wait for its result. What leads to no branches runs on
 * rank 0.
 */
export function stagesOf(graph: Graph, groups: readonly BranchGroup[]): Stages {
  const trunk = trunkOf(graph, groups);
  const shared = leadingToBranches(graph, groups, trunk);
  const segments = Array.from({ length: groups.length + 1 }, (_, level): Segment => {
    const nodes = graph.nodes.filter((node) => trunk.get(node) === level);
    const leading = nodes.filter((node) => shared.has(node));
    const branch = groups[level]?.nodes[0];
    const isLight = branch !== undefined && weightBytes(graph, leading) <= weightBytes(graph, branch);
    return isLight
      ? { replicated: leading, single: nodes.filter((node) => !shared.has(node)) }
      : { replicated: [], single: nodes };
  });
  const everywhere = new Set([
    ...groups.flatMap(({ nodes }) => nodes.flat()),
    ...segments.flatMap((s) => s.replicated),
  ]);
  return {
    groups,
    segments,
    isNeededEverywhere: (value) => usesOf(graph, value).some(({ node }) => node !== undefined && everywhere.has(node)),
  };
}

/** Nodes outside of branches and sums, with the number of sums that have to be complete before each. */
function trunkOf(graph: Graph, groups: readonly BranchGroup[]): Map<Node, number> {
  const inside = new Set(groups.flatMap(({ nodes, combine }) => [...nodes.flat(), ...combine.nodes]));
  const sums = new Map(groups.map(({ combine }, index) => [combine.output, index + 1]));
  const levels = new Map<Node, number>();
  const levelOf = (value: Value): number => {
    const producer = producerOf(graph, value);
    return sums.get(value) ?? (producer && levels.get(producer)) ?? 0;
  };
  for (const node of graph.nodes) {
    if (inside.has(node) || isConstantNode(node)) continue;
    levels.set(node, maxOf(readsOf(node).map(levelOf), 0));
  }
  return levels;
}

function leadingToBranches(
  graph: Graph,
  groups: readonly BranchGroup[],
  trunk: ReadonlyMap<Node, number>,
): ReadonlySet<Node> {
  return ancestors(
    groups.flatMap(({ nodes }) => nodes.flat().flatMap(readsOf)),
    (value) => {
      const producer = producerOf(graph, value);
      return producer && trunk.has(producer) ? producer : undefined;
    },
  );
}

/** Bytes of the different constants that nodes read. */
export function weightBytes(graph: Graph, nodes: Iterable<Node>): number {
  const values = new Set([...nodes].flatMap(readsOf));
  let bytes = 0;
  for (const value of values) {
    const sparse = graph.initializers.get(value);
    const tensor = constantOf(graph, value) ?? (sparse && isSparse(sparse) ? sparse.values : undefined);
    if (tensor && tensor.dtype !== "string") bytes += bytesOfTensor(tensor).byteLength;
  }
  return bytes;
}
