/** @file Weights and computation in float16, with exceptions. */
import {
  allNodes,
  importingStandard,
  type Model,
  type Node,
  namesOf,
  qualifiedName,
  type Value,
  type ValueType,
  withGraph,
} from "../ir/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import { inferenceOf, type Note, type Pass, type PassResult } from "../rewrite/index.ts";
import { convertGraph } from "./float16/convert.ts";
import { extremeNodes } from "./float16/extremes.ts";
import { float32Operators, lacksKernel } from "./float16/operators.ts";
import { portsOf } from "./float16/ports.ts";

const name = "convert-float16";

export interface Float16Options {
  /** Operators that stay in float32, as `qualifiedName` prints them; `float32Operators` when absent. */
  readonly block?: ReadonlySet<string>;
  /** Further nodes that stay in float32. */
  readonly keeps?: (node: Node) => boolean;
  /** dtype of float inputs and outputs; `float32`, which no caller notices, when absent. */
  readonly io?: "float32" | "float16";
}

/**
 * Approximate: float16 has 11 bits of precision and the range 6e-8 to 65504. Blocked operators, other domains but for MatMulNBits, nodes beside a
 * (de)quantization, nodes of unknown types, values that the operator's definition does not allow as float16, and the signatures of
 * subgraphs stay float32, with `Cast` nodes around them; constants that only they read stay too. So do nodes whose numbers would leave the
 * range (masks, epsilons, squares, sums and exponentials up to their root or quotient, positions), which the notes name. Types come from inference.
 */
export function convertFloat16(options: Float16Options = {}): Pass {
  checkOptions(options, float16OptionsNames);
  return {
    name,
    exactness: "approximate",
    run: (model) => converted(model, options),
  };
}

const float16OptionsNames: OptionNames<Float16Options> = { block: true, keeps: true, io: true };

function converted(model: Model, options: Float16Options): PassResult {
  const { types } = inferenceOf(model);
  const extreme = extremeNodes(model, (value) => types.get(value) ?? value.type);
  const reasons = new Map([...kernelReasons(model), ...extreme]);
  const keeps = (node: Node): boolean => extreme.has(node) || (options.keeps?.(node) ?? false);
  const notes = [...reasons].map(
    ([node, reason]): Note => ({ pass: name, rule: node.opType, kind: "declined", reason, nodes: [labelOf(node)] }),
  );
  return { model: float16Form(model, { ...options, keeps }), notes };
}

/** Nodes that the runtime could not compute in float16. */
function kernelReasons(model: Model): [Node, string][] {
  return [...allNodes(model)].flatMap((node) => {
    const reason = lacksKernel(node);
    return reason === undefined ? [] : [[node, reason] as [Node, string]];
  });
}

function labelOf({ name: own, outputs }: Node): string {
  return own || outputs.find((value) => value)?.name || "";
}

/** What the pass makes of a model. */
export function float16Form(model: Model, options: Float16Options = {}): Model {
  const { block = float32Operators, keeps, io = "float32" } = checkOptions(options, float16OptionsNames);
  const { types } = inferenceOf(model);
  const quantized = quantizedValues(model);
  const isQuantized = (node: Node): boolean => [...node.inputs, ...node.outputs].some((v) => v && quantized.has(v));
  const type = (value: Value): ValueType | undefined => types.get(value) ?? value.type;
  const ports = portsOf(model, type);
  const cannot = (node: Node): boolean =>
    block.has(qualifiedName(node)) || ports.isUndecided(node) || lacksKernel(node) !== undefined;
  const conversion = {
    names: namesOf(model),
    ports,
    type,
    keeps: (node: Node) => isForeign(node) || cannot(node) || isQuantized(node) || (keeps?.(node) ?? false),
  };
  const graph = convertGraph(conversion, model.graph, undefined, io === "float32");
  return graph === model.graph ? model : importingStandard(withGraph(model, graph));
}

/** Operators of other domains that compute in float16 wherever the runtime has them. */
const halfOperators: ReadonlySet<string> = new Set(["com.microsoft::MatMulNBits"]);

function isForeign(node: Node): boolean {
  return node.domain !== "" && !halfOperators.has(qualifiedName(node));
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
