/** @file int8 weights that use more than 7 bits. */
import { allGraphs, type Graph, isSparse, type Model, type Node, typedArray, type Value } from "../ir/index.ts";
import { constantAmong } from "./constant-among.ts";

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
  const graphs = [...allGraphs(model.graph)];
  return graphs.some(({ nodes }) => nodes.some((node) => isFullRange(graphs, weightOf(node))));
}

function weightOf(node: Node): Value | undefined {
  const position = weightInputs.get(node.opType);
  return position === undefined ? undefined : node.inputs[position];
}

/** The graphs are all of the model's: a branch may read what stands around it. */
function isFullRange(graphs: readonly Graph[], weight: Value | undefined): boolean {
  const constant = constantAmong(graphs, weight);
  if (!constant || isSparse(constant) || constant.dtype !== "int8") return false;
  for (const value of typedArray(constant) as Int8Array) if (value < LOW || value > HIGH) return true;
  return false;
}
