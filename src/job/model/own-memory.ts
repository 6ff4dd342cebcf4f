/** @file Tensors that are views of a model's file, taken out of it. */
import type { Model } from "../../ir/index.ts";
import { mapTensors } from "../../onnx/index.ts";

/** The same model over memory of its own: the smallest view of a large file keeps all of it. */
export function withOwnMemory(model: Model): Model {
  const copies = new Map<Uint8Array, Uint8Array>();
  return mapTensors(model, (tensor) => {
    const { data } = tensor;
    if (!(data instanceof Uint8Array) || data.byteLength === data.buffer.byteLength) return tensor;
    const copy = copies.get(data) ?? data.slice();
    copies.set(data, copy);
    return { ...tensor, data: copy };
  });
}
