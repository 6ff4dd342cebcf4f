/** @file Copies of graphs under fresh names. */
import { editGraph, type Graph, type Value } from "../ir/index.ts";

/** The same graph over new values; what it captures stays. */
export function cloneGraph(graph: Graph, fresh: (value: Value) => Value): Graph {
  const own = new Set<Value>([...graph.inputs, ...graph.initializers.keys()]);
  for (const node of graph.nodes) for (const output of node.outputs) if (output) own.add(output);
  return editGraph(graph, (draft) => {
    for (const value of own) draft.substitute(value, fresh(value));
  });
}
