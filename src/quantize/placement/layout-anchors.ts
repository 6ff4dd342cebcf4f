/** @file Values that need help to keep their channels last. */
import { nth } from "../../checked.ts";
import type { Value } from "../../ir/index.ts";
import { dataInputs, type Placement } from "./placement.ts";

const WIDEST_ANCHOR = 64;

/**
 * Values that both a two-dimensional convolution and another integer node read, with their channels. ONNX Runtime computes integer
 * convolutions with the channels last; such a value, where floats make it, would leave the other node, and all behind it, with the
 * channels first and a transposition on either side. A small convolution that changes nothing takes both along.
 */
export function layoutAnchors({ layers, others }: Placement): ReadonlyMap<Value, number> {
  const channels = new Map<Value, number>();
  for (const { node, input, weightTensor, groups } of layers.values()) {
    if (node.opType === "Conv" && weightTensor.dims.length === 4)
      channels.set(input, nth(weightTensor.dims, 1) * groups);
  }
  return new Map(
    [...others.keys()].flatMap(dataInputs).flatMap((value) => {
      const count = channels.get(value);
      return count === undefined || count > WIDEST_ANCHOR ? [] : [[value, count] as const];
    }),
  );
}
