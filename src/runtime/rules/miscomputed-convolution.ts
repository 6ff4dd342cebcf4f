/** @file Convolutions that the WebGPU provider computes wrongly in its default layout. */
import { allGraphs, constantOf, type Graph, intOf, type Model, type Node } from "../../ir/index.ts";

export interface Miscomputed {
  readonly node: Node;
  readonly channels: number;
}

/** The first such convolution. Its shader reads three channels at a time where their number is a multiple of 3 and none of 4, and more than 3. */
export function miscomputedConvolution(model: Model): Miscomputed | undefined {
  for (const graph of allGraphs(model.graph)) {
    for (const node of graph.nodes) {
      const [outputs, channels, ...kernel] = node.opType === "Conv" ? weightDims(graph, node) : [];
      if (typeof outputs !== "number" || typeof channels !== "number") continue;
      const isOne = kernel.every((size) => size === 1) || intOf(node, "group", 1) !== 1;
      if (!isOne && outputs % 4 === 0 && channels % 3 === 0 && channels % 4 !== 0 && channels > 3)
        return { node, channels };
    }
  }
  return undefined;
}

function weightDims(graph: Graph, node: Node): readonly (number | string)[] {
  const [, weight] = node.inputs;
  const type = weight?.type;
  return constantOf(graph, weight)?.dims ?? (type?.kind === "tensor" ? (type.dims ?? []) : []);
}
