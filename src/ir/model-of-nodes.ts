/** @file Some nodes of a model as a model of their own. */
import { type Graph, type Model, type Node, type Value, withGraph } from "./graph.ts";
import { producerOf, readsOf } from "./traverse.ts";

/**
 * The model of these nodes, in this order, that gives these outputs. Its inputs are what the nodes read and do not make; initializers, and `Constant`
 * nodes of the model that they read, come along.
 */
export function modelOfNodes(model: Model, nodes: readonly Node[], outputs: readonly Value[]): Model {
  const { graph } = model;
  const made = new Set(nodes.flatMap((node) => node.outputs.filter((value) => value !== undefined)));
  const reads = [...new Set([...nodes.flatMap(readsOf), ...outputs])].filter((value) => !made.has(value));
  const constants = new Map<Value, Node>();
  for (const value of reads) {
    const producer = producerOf(graph, value);
    if (producer && isConstantNode(producer)) constants.set(value, producer);
  }
  const part: Graph = {
    name: graph.name,
    inputs: reads.filter((value) => !graph.initializers.has(value) && !constants.has(value)),
    outputs,
    nodes: [...constants.values(), ...nodes],
    initializers: new Map([...graph.initializers].filter(([value]) => reads.includes(value))),
  };
  return { ...withGraph(model, part), trainingInfo: [] };
}

/** A node that every part that reads it can have for itself. */
export function isConstantNode({ opType, domain }: Node): boolean {
  return opType === "Constant" && domain === "";
}
