/** @file Drops constants that nothing reads any more. */
import { type Model, readsOf, type Value, withGraph } from "../ir/index.ts";

/** The model without initializers that no node and no output reads. Exact. */
export function withoutUnread(model: Model): Model {
  const { graph } = model;
  const read = new Set<Value>(graph.outputs);
  for (const node of graph.nodes) for (const value of readsOf(node)) read.add(value);
  const inputs = new Set(graph.inputs);
  const initializers = new Map([...graph.initializers].filter(([value]) => read.has(value) || inputs.has(value)));
  return initializers.size === graph.initializers.size ? model : withGraph(model, { ...graph, initializers });
}
