/** @file Rounding tensors and attributes to float16. */
import {
  type Attributes,
  dataTypes,
  exactBigint,
  floatsOf,
  halfBits,
  type Node,
  type Tensor,
  tensor,
} from "../../ir/index.ts";

/** The tensor in float16. Magnitudes are clipped to the range of float16, so that none becomes 0 or infinite; 0, NaN and ±∞ stay. */
export function toHalf(value: Tensor): Tensor {
  return tensor("float16", value.dims, halfBits(floatsOf(value), true));
}

/** The attributes of a node whose float32 results become float16: targets of casts and tensors of constants. */
export function halfAttributes(node: Node): Attributes {
  const value = node.attributes.get("value");
  const to = node.attributes.get("to");
  const attributes = new Map(node.attributes);
  if (value?.type === "tensor" && value.value.dtype === "float32")
    attributes.set("value", { type: "tensor", value: toHalf(value.value) });
  if (to?.type === "int" && to.value === exactBigint(dataTypes.float32.code))
    attributes.set("to", { type: "int", value: exactBigint(dataTypes.float16.code) });
  return attributes;
}
