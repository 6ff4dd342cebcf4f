/** @file Zero points of int8 weights, one for each node that reads them. */
import { allGraphs, constantsIn, editAllGraphs, type Graph, type Model, producerOf, type Value } from "../ir/index.ts";

/** Where nodes take the zero point of their weight. */
const zeroPointInputs: ReadonlyMap<string, number> = new Map([
  ["DequantizeLinear", 2],
  ["QLinearConv", 5],
  ["QLinearMatMul", 5],
  ["MatMulInteger", 3],
  ["ConvInteger", 3],
]);

/**
 * The same model with a copy of every constant int8 zero point for each of its readers. The runtime's rewrite of weights
 * to uint8 replaces a zero point once per reader, and fails when two readers share one, be it through `Identity`.
 */
export function withOwnZeroPoints(model: Model): Model {
  const graphs = [...allGraphs(model.graph)];
  const constant = constantsIn(model.graph);
  return editAllGraphs(model, (draft) => {
    for (const node of draft.nodes()) {
      const position = zeroPointInputs.get(node.opType);
      const zeroPoint = position === undefined ? undefined : constant(sourceOf(graphs, node.inputs[position]));
      if (zeroPoint?.dtype !== "int8") continue;
      const own = draft.constant("zero_point", zeroPoint);
      draft.replaceNode(node, { ...node, inputs: node.inputs.map((value, i) => (i === position ? own : value)) });
    }
  });
}

/** What stands behind `Identity` nodes of any of the graphs. */
function sourceOf(graphs: readonly Graph[], value: Value | undefined): Value | undefined {
  const producer = value && graphs.map((graph) => producerOf(graph, value)).find(Boolean);
  return producer?.opType === "Identity" ? sourceOf(graphs, producer.inputs[0]) : value;
}
