/** @file Rounding tensors and attributes to float16. */
import {
  type Attributes,
  bytesOfTensor,
  dataTypes,
  exactBigint,
  floatsOf,
  type Node,
  type Tensor,
  tensorFromNumbers,
} from "../../ir/index.ts";

/** The smallest and the largest magnitude that float16 has. */
const SMALLEST = 5.96e-8;
const LARGEST = 65504;

/** Elements that are clipped and rounded at once: a copy of a whole tensor would take as much memory again. */
const BLOCK = 2 ** 14;

/** The tensor in float16. Magnitudes are clipped to the range of float16, so that none becomes 0 or infinite; 0, NaN and ±∞ stay. */
export function toHalf(tensor: Tensor): Tensor {
  const reals = floatsOf(tensor);
  const data = new Uint8Array(2 * reals.length);
  const block = new Float32Array(Math.min(BLOCK, reals.length));
  for (let start = 0; start < reals.length; start += BLOCK) {
    const length = Math.min(BLOCK, reals.length - start);
    for (let i = 0; i < length; i++) block[i] = clipped(reals[start + i]!);
    data.set(bytesOfTensor(tensorFromNumbers("float16", [length], block.subarray(0, length))), 2 * start);
  }
  return { dtype: "float16", dims: tensor.dims, data };
}

function clipped(x: number): number {
  const magnitude = Math.abs(x);
  if ((magnitude >= SMALLEST && magnitude <= LARGEST) || x === 0 || !Number.isFinite(x)) return x;
  return Math.sign(x) * Math.min(LARGEST, Math.max(SMALLEST, magnitude));
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
