/** @file Values behind DequantizeLinear that are only moved before a branch or a loop reads them. */
import { allGraphs, capturesOf, type Graph, type Model, producerOf, subgraphsOf, type Value } from "../../ir/index.ts";
import { DISABLED } from "./disabled-optimisers.ts";
import type { Rule } from "./rule.ts";

export const movedCaptures: Rule = {
  goesWrong: "a value that is moved behind DequantizeLinear and read in a branch ends the process at load",
  config: (model) => (hasMovedCapture(model) ? [DISABLED, "QDQPropagationTransformer"] : undefined),
  always: true,
};

/** Operators over which the runtime's optimiser carries a DequantizeLinear. */
const movers: ReadonlySet<string> = new Set([
  "Identity",
  "MaxPool",
  "Reshape",
  "Slice",
  "Squeeze",
  "Transpose",
  "Unsqueeze",
]);

/** Whether a subgraph captures such a value. */
export function hasMovedCapture(model: Model): boolean {
  for (const graph of allGraphs(model.graph)) {
    const captured = graph.nodes.flatMap(subgraphsOf).flatMap(capturesOf);
    if (captured.some((value) => isMoved(graph, value))) return true;
  }
  return false;
}

function isMoved(graph: Graph, value: Value): boolean {
  const mover = producerOf(graph, value);
  if (!mover || !movers.has(mover.opType)) return false;
  const source = mover.inputs[0];
  return source !== undefined && (isDequantized(graph, source) || isMoved(graph, source));
}

function isDequantized(graph: Graph, value: Value): boolean {
  return producerOf(graph, value)?.opType === "DequantizeLinear";
}
