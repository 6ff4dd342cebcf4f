/** @file int8 weights that use more than 7 bits. */
import {
  allGraphs,
  constantOf,
  type Graph,
  isSparse,
  type Model,
  type Node,
  typedArray,
  type Value,
} from "../ir/index.ts";

const LOW = -64;
const HIGH = 63;

/** Where the operators that compute with integer weights take them. */
const weightInputs: ReadonlyMap<string, number> = new Map([
  ["DequantizeLinear", 0],
  ["QLinearConv", 3],
  ["QLinearMatMul", 3],
  ["MatMulInteger", 1],
  ["ConvInteger", 1],
]);

/** Whether the model has int8 weights beyond [-64, 63], whose products with uint8 may saturate. */
export function hasFullRangeWeights(model: Model): boolean {
  for (const graph of allGraphs(model.graph)) {
    if (graph.nodes.some((node) => isFullRange(graph, weightOf(node)))) return true;
  }
  return false;
}

function weightOf(node: Node): Value | undefined {
  const position = weightInputs.get(node.opType);
  return position === undefined ? undefined : node.inputs[position];
}

function isFullRange(graph: Graph, weight: Value | undefined): boolean {
  const constant = constantOf(graph, weight);
  if (!constant || isSparse(constant) || constant.dtype !== "int8") return false;
  for (const value of typedArray(constant) as Int8Array) if (value < LOW || value > HIGH) return true;
  return false;
}
