/** @file What of a model's weights training leaves as it is because of where it stands, so that nobody takes it for trained. */
import {
  allGraphs,
  allNodes,
  dataTypes,
  isSparse,
  type Model,
  sizeOf,
  storedWeights,
  type Value,
} from "../../ir/index.ts";

/** Sentences that count the numbers that are not trained, by reason; none where there are none. */
export function untrainedNotes(model: Model): string[] {
  const stored = storedWeights(model);
  const [outer, ...inner] = allGraphs(stored.graph);
  const quantized = new Set<Value | undefined>();
  for (const { opType, inputs } of allNodes(stored)) if (opType === "DequantizeLinear") quantized.add(inputs[0]);
  let float = 0;
  let integer = 0;
  let nested = 0;
  for (const graph of [outer!, ...inner]) {
    for (const [value, data] of graph.initializers) {
      if (isSparse(data) || data.dims.length === 0) continue;
      const isFloat = dataTypes[data.dtype].kind === "float";
      if (quantized.has(value) && !isFloat) integer += sizeOf(data.dims);
      else if (isFloat && graph === outer) float += sizeOf(data.dims);
      else if (isFloat) nested += sizeOf(data.dims);
    }
  }
  const all = float + integer + nested;
  const note = (count: number, why: string) =>
    count > 0 ? [`${count} of ${all} weights are not trained: ${why}`] : [];
  return [
    ...note(integer, "they are quantized, read by DequantizeLinear; fine-tune the model from before quantization"),
    ...note(nested, "they stand inside branches or loops, whose weights lithe does not train"),
  ];
}
