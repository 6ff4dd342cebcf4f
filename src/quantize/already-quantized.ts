/** @file Quantizing twice is refused: the second time would add error and nothing else. */
import { UnsupportedError } from "../errors.ts";
import { allNodes, labelOf, type Model } from "../ir/index.ts";

const quantizedOperators = new Set([
  "QuantizeLinear",
  "DequantizeLinear",
  "DynamicQuantizeLinear",
  "QLinearConv",
  "QLinearMatMul",
  "ConvInteger",
  "DynamicQuantizeLSTM",
  "MatMulInteger",
  "MatMulNBits",
  "GatherBlockQuantized",
]);

/** @throws UnsupportedError when the model computes on quantized numbers anywhere; it names the first such node. */
export function checkNotQuantized(model: Model): void {
  for (const node of allNodes(model)) {
    if (!quantizedOperators.has(node.opType)) continue;
    throw new UnsupportedError("the model is quantized already", {
      expected: "a model in floats",
      got: node.opType,
      where: `node ${JSON.stringify(labelOf(node))}`,
      hint: "Start from the float model.",
    });
  }
}
