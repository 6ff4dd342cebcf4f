/** @file Results that several subgraphs hold alike: the graph around them holds one for all. */
import { nth } from "../checked.ts";
import {
  editGraph,
  type Graph,
  isSparse,
  mapSubgraphs,
  type Names,
  sizeOf,
  subgraphsOf,
  type Tensor,
  tensorIndex,
  type Value,
} from "../ir/index.ts";

/** Elements of the smallest constant that moves. */
const SMALLEST = 1024;

/**
 * Exact. Folding in every branch what all of them read would store it as often as there are branches.
 *
 * @param results the initializers that may move; those that have moved are added.
 */
export function shareResults(graph: Graph, results: Set<Value>, names: Names): Graph {
  const current = mapSubgraphs(graph, (held) => shareResults(held, results, names));
  const groups = [...groupsIn(current, results)].filter(({ values }) => values.length > 1);
  if (groups.length === 0) return current;
  const moved = new Map<Value, Value>();
  const around = editGraph(
    current,
    (draft) => {
      for (const { content, values } of groups) {
        const shared = draft.constant(nth(values, 0).name, content);
        results.add(shared);
        for (const value of values) moved.set(value, shared);
      }
    },
    names,
  );
  return mapSubgraphs(around, (held) => without(held, moved));
}

interface Group {
  readonly content: Tensor;
  readonly values: Value[];
}

/** The results in the subgraphs of a graph's nodes, by content. */
function groupsIn(graph: Graph, results: ReadonlySet<Value>): Iterable<Group> {
  const index = tensorIndex<Group>();
  const groups = new Set<Group>();
  for (const held of graph.nodes.flatMap(subgraphsOf)) {
    for (const [value, content] of held.initializers) {
      if (!results.has(value) || isSparse(content) || sizeOf(content.dims) < SMALLEST) continue;
      const group = index.get(content) ?? { content, values: [] };
      index.set(content, group);
      groups.add(group);
      group.values.push(value);
    }
  }
  return groups;
}

function without(graph: Graph, moved: ReadonlyMap<Value, Value>): Graph {
  return editGraph(graph, (draft) => {
    for (const value of graph.initializers.keys()) {
      const shared = moved.get(value);
      if (!shared) continue;
      draft.removeInitializer(value);
      draft.replaceValue(value, shared);
    }
  });
}
