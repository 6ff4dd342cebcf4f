/** @file The layers of a run whose weights can become zeros. */
import type { Layer } from "../../calibration/index.ts";
import { must } from "../../checked.ts";
import { UsageError } from "../../errors.ts";
import type { Model, Tensor } from "../../ir/index.ts";
import { chooseParameters, type Preparation } from "../../train/index.ts";
import { type SparsifySettings, sparseLayersOf } from "../sparsify.ts";

/** Those that the run trains: of a teacher beside the student, none. */
export function trainedLayers(
  model: Model,
  step: Preparation["step"],
  settings: Pick<SparsifySettings, "exclude">,
): readonly Layer[] {
  const trained = new Set(chooseParameters(model.graph, step, new Set()).map(({ value }) => value));
  const layers = sparseLayersOf(model, settings).layers.filter(({ weight }) => trained.has(weight));
  if (layers.length > 0) return layers;
  throw new UsageError("no weight that is trained could be zeros", {
    expected: "a convolution or product that is trained",
  });
}

/** The layers with the weights of this moment. */
export function withWeights(layers: readonly Layer[], weights: ReadonlyMap<string, Tensor>): Layer[] {
  return layers.map((layer) => ({ ...layer, weightTensor: must(weights, layer.weight.name) }));
}
