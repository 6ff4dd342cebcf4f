/** @file Rounding tensors and attributes to float16. */
import { type Attributes, dataTypes, type Node, numbersOf, type Tensor, tensorFromNumbers } from "../../ir/index.ts";

/** The smallest and the largest magnitude that float16 has. */
const SMALLEST = 5.96e-8;
const LARGEST = 65504;

/** The tensor in float16. Magnitudes are clipped to the range of float16, so that none becomes 0 or infinite; 0, NaN and ±∞ stay. */
export function toHalf(tensor: Tensor): Tensor {
  return tensorFromNumbers("float16", tensor.dims, numbersOf(tensor).map(clipped));
}

function clipped(x: number): number {
  const magnitude = Math.abs(x);
  if (x === 0 || !Number.isFinite(x)) return x;
  return Math.sign(x) * Math.min(LARGEST, Math.max(SMALLEST, magnitude));
}

/** The attributes of a node whose float32 results become float16: targets of casts and tensors of constants. */
export function halfAttributes(node: Node): Attributes {
  const value = node.attributes.get("value");
  const to = node.attributes.get("to");
  const attributes = new Map(node.attributes);
  if (value?.type === "tensor" && value.value.dtype === "float32")
    attributes.set("value", { type: "tensor", value: toHalf(value.value) });
  if (to?.type === "int" && to.value === BigInt(dataTypes.float32.code))
    attributes.set("to", { type: "int", value: BigInt(dataTypes.float16.code) });
  return attributes;
}
