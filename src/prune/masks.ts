/** @file Masks: which weights stay. */
import { UsageError } from "../errors.ts";
import {
  editAllGraphs,
  floatsOf,
  isSparse,
  type Model,
  storedWeights,
  type Tensor,
  tensor,
  typedArray,
} from "../ir/index.ts";

/** A bool tensor for each weight, by the name of its initializer: 0 where the weight is zero for good. */
export type Masks = ReadonlyMap<string, Tensor>;

/**
 * The model with zeros where the masks say so; what stays keeps its bits.
 *
 * @throws UsageError for a mask of no float32 initializer, or of other dims
 */
export function withMasks(model: Model, masks: Masks): Model {
  const left = new Map(masks);
  const changed = editAllGraphs(storedWeights(model), (draft) => {
    for (const [value, data] of draft.graph.initializers) {
      const mask = left.get(value.name);
      if (!mask) continue;
      if (isSparse(data) || data.dtype !== "float32" || data.dims.join() !== mask.dims.join())
        throw unfit(
          value.name,
          mask,
          isSparse(data) ? "a sparse initializer" : `${data.dtype}[${data.dims.join(", ")}]`,
        );
      draft.setInitializer(value, maskedTensor(data, mask));
      left.delete(value.name);
    }
  });
  for (const [name, mask] of left) throw unfit(name, mask, "no initializer of this name");
  return changed;
}

function unfit(name: string, { dims }: Tensor, got: string): UsageError {
  return new UsageError("a mask fits no weight of the model", {
    expected: `float32[${dims.join(", ")}]`,
    got,
    where: `weight ${JSON.stringify(name)}`,
  });
}

/** The tensor with zeros where the mask has them. */
export function maskedTensor(weight: Tensor, mask: Tensor): Tensor {
  const values = floatsOf(weight).slice();
  const kept = typedArray(mask);
  for (let i = 0; i < values.length; i++) if (kept[i] === 0) values[i] = 0;
  return { ...weight, data: tensor("float32", weight.dims, values).data };
}
