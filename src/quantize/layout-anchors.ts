/** @file Values that need help to keep their channels last. */
import type { Graph, Value } from "../ir/index.ts";
import { dataInputs, type Placement } from "./placement.ts";

const WIDEST_ANCHOR = 64;

/**
 * Values made in floats that both a two-dimensional convolution and another integer node read, with their channels. ONNX Runtime
 * computes integer convolutions with the channels last; such a value would leave the other node, and all behind it, with the channels
 * first and a transposition on either side. A small convolution that changes nothing takes both along.
 */
export function layoutAnchors(graph: Graph, { layers, others }: Placement): ReadonlyMap<Value, number> {
  const made = new Set<Value>();
  for (const node of graph.nodes) {
    const isInteger = layers.has(node) || others.has(node);
    if (!isInteger) for (const output of node.outputs) if (output) made.add(output);
  }
  const channels = new Map<Value, number>();
  for (const { node, input, weightTensor, groups } of layers.values()) {
    if (node.opType === "Conv" && weightTensor.dims.length === 4) channels.set(input, weightTensor.dims[1]! * groups);
  }
  const read = [...others.keys()].flatMap(dataInputs).filter((value) => made.has(value));
  return new Map(
    read.flatMap((value) => {
      const count = channels.get(value);
      return count === undefined || count > WIDEST_ANCHOR ? [] : [[value, count] as const];
    }),
  );
}
