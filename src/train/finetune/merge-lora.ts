/** @file Adapters become part of the weights. */
import { nth } from "../../checked.ts";
import { editGraph, type Model, numbersOf, storedWeights, type Tensor, tensor, withGraph } from "../../ir/index.ts";
import { type FittedAdapter, fittedAdapters } from "./lora-tensors.ts";

/**
 * A model with W + (α/r)·A·B in the place of each W: what `applyLora` computes, up to rounding, at the speed of the model itself.
 *
 * @throws FormatError for incomplete adapters and unknown names, ShapeError for tensors that do not fit.
 */
export function mergeLora(model: Model, tensors: ReadonlyMap<string, Tensor>): Model {
  const source = storedWeights(model);
  const { adapters, others } = fittedAdapters(source.graph, tensors);
  const graph = editGraph(source.graph, (draft) => {
    for (const { value, tensor: given } of others) draft.setInitializer(value, given);
    for (const adapter of adapters) draft.setInitializer(adapter.site.weight, merged(adapter));
  });
  return withGraph(source, graph);
}

function merged({ site, factors, rank }: FittedAdapter): Tensor {
  const { tensor: weight, layer, nodes } = site;
  const [down, up] = [numbersOf(factors.down), numbersOf(factors.up)];
  const change = layer.product(nth(nodes, 0), weight.dims, down, up, rank);
  const scale = numbersOf(factors.scale)[0]!;
  const numbers = numbersOf(weight);
  const sum = new Float32Array(numbers.length).map((_, i) => numbers[i]! + scale * change[i]!);
  return tensor(weight.dtype, weight.dims, sum);
}
