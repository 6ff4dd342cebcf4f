/** @file The zeros that a model has already. */
import { floatsOf, type Model, storedWeights, tensor } from "../ir/index.ts";
import type { Masks } from "./masks.ts";
import { sparseLayers } from "./sparse-layers.ts";

/** A mask for each weight of convolutions and products that has zeros, so that training can keep them: `masked(masksOf(model))`. */
export function masksOf(model: Model): Masks {
  return new Map(
    sparseLayers(storedWeights(model)).layers.flatMap(({ weight, weightTensor }) => {
      const values = floatsOf(weightTensor);
      const mask = new Uint8Array(values.length).map((_, i) => (values[i] === 0 ? 0 : 1));
      return mask.includes(0) ? [[weight.name, tensor("bool", weightTensor.dims, mask)]] : [];
    }),
  );
}
