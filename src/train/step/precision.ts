/** @file Mixed precision: the network computes in float16 between casts, parameters and everything delicate stay float32. */
import { UnsupportedError } from "../../errors.ts";
import { isSparse, type Model, type Value, withGraph } from "../../ir/index.ts";
import { inferShapes } from "../../ops/index.ts";
import { float16Form, float32Operators } from "../../passes/index.ts";

export type Precision = "float32" | "float16" | "bfloat16";

/** Sums over many elements, exponentials and normalisations lose too much of float16's 11 bits or leave its range. */
const delicate: ReadonlySet<string> = new Set([
  ...float32Operators,
  ...["BatchNormalization", "GroupNormalization", "InstanceNormalization", "LayerNormalization", "LpNormalization"],
  ...["LRN", "MeanVarianceNormalization", "RMSNormalization", "SimplifiedLayerNormalization"],
  ...["Exp", "Log", "LogSoftmax", "Pow", "Reciprocal", "Softmax", "Softplus", "Sqrt"],
  ...["Dropout", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMean", "ReduceProd"],
  ...["ReduceSum", "ReduceSumSquare", "GlobalAveragePool", "GlobalLpPool", "LpPool"],
]);

/**
 * A typed model in a precision, with the inputs, outputs and initializers that it had. Its gradient goes through the same casts,
 * so that products are taken in the lower precision backwards too, and gradients of parameters come out in float32.
 *
 * @throws UnsupportedError for `bfloat16`
 */
export function inPrecision(typed: Model, precision: Precision): Model {
  if (precision === "float32") return typed;
  if (precision !== "float16") {
    throw new UnsupportedError("ONNX Runtime has no bfloat16 kernels on the providers that lithe runs on", {
      expected: "float32 or float16",
      got: String(precision),
    });
  }
  const { graph } = typed;
  const masters = [...graph.initializers].filter(([, data]) => !isSparse(data) && data.dtype === "float32");
  const isMaster = new Set<Value>(masters.map(([value]) => value));
  const fed = {
    ...graph,
    inputs: [...graph.inputs, ...isMaster],
    initializers: new Map([...graph.initializers].filter(([value]) => !isMaster.has(value))),
  };
  const converted = float16Form(withGraph(typed, fed), { block: delicate }).graph;
  const restored = {
    ...converted,
    inputs: graph.inputs,
    initializers: new Map([...converted.initializers, ...masters]),
  };
  return inferShapes(withGraph(typed, restored));
}
