/** @file Drops nodes and constants that nothing reads any more; ONNX Runtime would run the nodes. */
import { type Graph, type Model, mapSubgraphs, type Node, readsOf, type Value, withGraph } from "../../ir/index.ts";

/**
 * The model without nodes whose outputs no node and no graph output needs, and without initializers that are not read, in branches and
 * loops too. Exact.
 */
export function withoutUnread(model: Model): Model {
  return withGraph(model, readPart(model.graph));
}

function readPart(whole: Graph): Graph {
  const graph = mapSubgraphs(whole, readPart);
  const read = new Set<Value>(graph.outputs);
  const kept = new Set<Node>();
  for (const node of [...graph.nodes].reverse()) {
    if (!node.outputs.some((output) => output && read.has(output))) continue;
    kept.add(node);
    for (const value of readsOf(node)) read.add(value);
  }
  const inputs = new Set(graph.inputs);
  const initializers = new Map([...graph.initializers].filter(([value]) => read.has(value) || inputs.has(value)));
  return { ...graph, nodes: graph.nodes.filter((node) => kept.has(node)), initializers };
}
