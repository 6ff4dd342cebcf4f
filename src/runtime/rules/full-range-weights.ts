/** @file int8 weights that use more than 7 bits. */
import { allGraphs, constantsIn, type Model, type Node, type Tensor, typedArray, type Value } from "../../ir/index.ts";

const LOW = -64;
const HIGH = 63;

/** Where the operators that compute with integer weights take them. */
const weightInputs: ReadonlyMap<string, readonly number[]> = new Map([
  ["DequantizeLinear", [0]],
  ["QLinearConv", [3]],
  ["QLinearMatMul", [3]],
  ["MatMulInteger", [1]],
  ["ConvInteger", [1]],
  ["DynamicQuantizeLSTM", [1, 2]],
]);

/** Whether the model has int8 weights beyond [-64, 63], whose products with uint8 may saturate. */
export function hasFullRangeWeights(model: Model): boolean {
  const constant = constantsIn(model.graph);
  return [...allGraphs(model.graph)].some(({ nodes }) =>
    nodes.some((node) => weightsOf(node).some((value) => isFullRange(constant(value)))),
  );
}

function weightsOf({ opType, inputs }: Node): (Value | undefined)[] {
  return (weightInputs.get(opType) ?? []).map((position) => inputs[position]);
}

function isFullRange(weight: Tensor | undefined): boolean {
  if (weight?.dtype !== "int8") return false;
  for (const value of typedArray(weight) as Int8Array) if (value < LOW || value > HIGH) return true;
  return false;
}
