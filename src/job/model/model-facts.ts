/** @file What a report says about a model: its counts, and where its bytes are. */
import {
  allGraphs,
  dataTypes,
  type Graph,
  indexOf,
  isSparse,
  literalOf,
  type Model,
  opsetOf,
  type Tensor,
  type Value,
} from "../../ir/index.ts";
import { costOf } from "../../ops/index.ts";
import type { ModelFacts, SizeEntry } from "../../report/index.ts";

export function modelFacts(
  name: string,
  model: Model,
  { sha256, bytes }: { sha256: string; bytes: number },
): ModelFacts {
  const cost = costOf(model);
  return {
    name,
    sha256,
    bytes,
    nodes: model.graph.nodes.length,
    parameters: cost.params,
    ...(cost.macs > 0 && { macs: cost.macs }),
    opset: opsetOf(model),
    inputs: model.graph.inputs.map((value) => value.name),
    outputs: model.graph.outputs.map((value) => value.name),
  };
}

/** Bytes of every stored tensor, those of branches and loops included, with the operator that reads it. */
export function storedSizes(model: Model): SizeEntry[] {
  const { uses } = indexOf(model.graph);
  const stored = [...allGraphs(model.graph)].flatMap(storedIn);
  return stored.map(({ value, data }) => ({
    name: value.name,
    opType: uses.get(value)?.find(({ node }) => node)?.node?.opType ?? "",
    dtype: data.dtype,
    bytes:
      data.data instanceof Uint8Array
        ? data.data.byteLength
        : (data.dims.reduce((n, d) => n * d, 1) * dataTypes[data.dtype].bits) / 8,
  }));
}

function storedIn({ initializers, nodes }: Graph): { value: Value; data: Tensor }[] {
  const stored = [...initializers].map(([value, data]) => ({ value, data: isSparse(data) ? data.values : data }));
  for (const node of nodes) {
    const data = literalOf(node);
    if (data && node.outputs[0]) stored.push({ value: node.outputs[0], data });
  }
  return stored;
}
