/** @file Weights and computation in float16, with exceptions. */
import {
  allNodes,
  importingStandard,
  type Model,
  type Node,
  namesOf,
  qualifiedName,
  type Value,
  withGraph,
} from "../ir/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import type { Pass } from "../rewrite/index.ts";
import { convertGraph } from "./float16/convert.ts";
import { float32Operators } from "./float16/operators.ts";
import { inferenceOf } from "./types.ts";

export interface Float16Options {
  /** Operators that stay in float32, as `qualifiedName` prints them; `float32Operators` when absent. */
  readonly block?: ReadonlySet<string>;
  /** Further nodes that stay in float32. */
  readonly keeps?: (node: Node) => boolean;
  /** dtype of float inputs and outputs; `float32`, which no caller notices, when absent. */
  readonly io?: "float32" | "float16";
}

/**
 * Approximate: float16 has 11 bits of precision and the range 6e-8 to 65504. Constants outside of the range are clipped to it.
 * Blocked operators, other domains, nodes beside a (de)quantization, nodes of unknown types and the signatures of subgraphs stay float32, with `Cast` nodes around
 * them; constants that only they read stay too. Types come from inference.
 */
export function convertFloat16(options: Float16Options = {}): Pass {
  return {
    name: "convert-float16",
    exactness: "approximate",
    run: (model) => ({ model: float16Form(model, options) }),
  };
}

const float16OptionsNames: OptionNames<Float16Options> = { block: true, keeps: true, io: true };

/** What the pass makes of a model. */
export function float16Form(model: Model, options: Float16Options = {}): Model {
  const { block = float32Operators, keeps, io = "float32" } = checkOptions(options, float16OptionsNames);
  const { types } = inferenceOf(model);
  const quantized = quantizedValues(model);
  const isQuantized = (node: Node): boolean => [...node.inputs, ...node.outputs].some((v) => v && quantized.has(v));
  const conversion = {
    names: namesOf(model),
    type: (value: Value) => types.get(value) ?? value.type,
    keeps: (node: Node) =>
      node.domain !== "" || block.has(qualifiedName(node)) || isQuantized(node) || (keeps?.(node) ?? false),
  };
  const graph = convertGraph(conversion, model.graph, undefined, io === "float32");
  return graph === model.graph ? model : importingStandard(withGraph(model, graph));
}

/** What a `DequantizeLinear` makes and a `QuantizeLinear` reads: a `Cast` there would keep the runtime from fusing them. */
function quantizedValues(model: Model): Set<Value> {
  const values = new Set<Value>();
  for (const { opType, inputs, outputs } of allNodes(model)) {
    if (opType === "QuantizeLinear" && inputs[0]) values.add(inputs[0]);
    if (opType === "DequantizeLinear" && outputs[0]) values.add(outputs[0]);
  }
  return values;
}
