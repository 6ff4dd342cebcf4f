/** @file Gates for inference: rounded by `Round`. */
import { ancestors, editModel, type Graph, type Model, makeNode, producerOf } from "../../ir/index.ts";

/** Gates rounded by `Round`, which is the same: ONNX Runtime 1.30 can end the process over quantization nodes before an `If`. */
export function withRoundedGates(model: Model, gates: readonly string[]): Model {
  return editModel(model, (draft) => {
    for (const { name, node, source } of gates.flatMap((gate) => quantizedGate(draft.graph, gate) ?? [])) {
      draft.replaceNode(node, makeNode("Round", [source], node.outputs, { name }));
    }
  });
}

function quantizedGate(graph: Graph, gate: string) {
  const output = graph.outputs.find(({ name }) => name === gate)!;
  const behind = [...ancestors([output], (value) => producerOf(graph, value))].find(
    ({ opType }) => opType === "DequantizeLinear",
  );
  const quantized = behind?.inputs[0] && producerOf(graph, behind.inputs[0]);
  const source = quantized?.opType === "QuantizeLinear" ? quantized.inputs[0] : undefined;
  return behind && source ? { name: behind.name, node: behind, source } : undefined;
}
