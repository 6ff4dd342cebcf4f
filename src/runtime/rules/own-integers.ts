/** @file int8 weights and their zero points, one of each for every node that reads them. */
import {
  allGraphs,
  type ConstantLookup,
  constantsIn,
  type Draft,
  editAllGraphs,
  type Graph,
  type Model,
  type Node,
  producerOf,
  type Value,
} from "../../ir/index.ts";

/** Where nodes take an integer weight and its zero point. */
const integerInputs: ReadonlyMap<string, readonly number[]> = new Map([
  ["DequantizeLinear", [0, 2]],
  ["QLinearConv", [3, 5]],
  ["QLinearMatMul", [3, 5]],
  ["MatMulInteger", [1, 3]],
  ["ConvInteger", [1, 3]],
  ["DynamicQuantizeLSTM", [1, 2, 9, 11]],
]);

/**
 * The same model with a copy of every constant int8 weight and zero point for each of its readers. The runtime's rewrite of weights
 * to uint8 replaces them once per reader, and fails when two readers share one, be it through `Identity` or a DequantizeLinear.
 */
export function withOwnIntegers(model: Model): Model {
  const single = editAllGraphs(model, (draft) => giveOwnReals(draft, constantsIn(model.graph)));
  const graphs = [...allGraphs(single.graph)];
  const constant = constantsIn(single.graph);
  const taken = new Set<Value>();
  return editAllGraphs(single, (draft) => {
    for (const node of draft.nodes()) {
      const positions = integerInputs.get(node.opType) ?? [];
      const inputs = node.inputs.map((value, i) => {
        const source = positions.includes(i) ? sourceOf(graphs, value) : undefined;
        const tensor = constant(source);
        if (!source || tensor?.dtype !== "int8") return value;
        if (source === value && !taken.has(source)) {
          taken.add(source);
          return value;
        }
        return draft.constant(source.name, tensor);
      });
      if (inputs.some((value, i) => value !== node.inputs[i])) draft.replaceNode(node, { ...node, inputs });
    }
  });
}

/** A DequantizeLinear of an int8 constant for each place where it is read. */
function giveOwnReals(draft: Draft, constant: ConstantLookup): void {
  const makers = new Map<Value, Node>();
  const read = new Set<Value>();
  for (const node of draft.graph.nodes) {
    const [output] = node.outputs;
    if (node.opType === "DequantizeLinear" && output && constant(node.inputs[0])?.dtype === "int8")
      makers.set(output, node);
    const inputs = node.inputs.map((value) => {
      const maker = value && makers.get(value);
      if (!maker) return value;
      if (!read.has(value)) {
        read.add(value);
        return value;
      }
      const own = draft.value(value.name);
      draft.insertBefore(node, { ...maker, name: own.name, outputs: [own] });
      return own;
    });
    if (inputs.some((value, i) => value !== node.inputs[i])) draft.replaceNode(node, { ...node, inputs });
  }
}

/** What stands behind `Identity` nodes of any of the graphs. */
function sourceOf(graphs: readonly Graph[], value: Value | undefined): Value | undefined {
  const producer = value && graphs.map((graph) => producerOf(graph, value)).find(Boolean);
  return producer?.opType === "Identity" ? sourceOf(graphs, producer.inputs[0]) : value;
}
