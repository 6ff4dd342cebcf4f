/** @file Noise that is there in training and nowhere else, made from Dropout, so that it is resumed as masks are. */
import { tensorFromNumbers, type Value } from "../ir/index.ts";
import { dimsOf, type Layers } from "./network.ts";

/** Random bits per number. Each costs one hash of the step graph. */
const BITS = 10;

/**
 * Uniform over 2¹⁰ equal steps of (−1, 1) in training, 0 in inference: Σ 2⁻ⁱ·rᵢ with signs rᵢ from a `Dropout` of ones with ratio ½,
 * which gives 2 or 0 in training and 1 otherwise. Its dims are those of `like`.
 */
export function uniformNoise(n: Layers, like: Value): Value {
  const rank = dimsOf(like).length;
  const one = { value: tensorFromNumbers("float32", [1], [1]) };
  const dims = n.concat([n.shape(like), n.ints([BITS])], 0);
  const signs = n.sub(n.op("Dropout", [n.op("ConstantOfShape", [dims], one), n.number(0.5)]), 1);
  const weights = Array.from({ length: BITS }, (_, i) => 2 ** -(i + 1));
  const weighted = n.mul(signs, n.constant("places", tensorFromNumbers("float32", [BITS], weights)));
  return n.sum(weighted, [rank]);
}

/**
 * Standard normal in training, 0 in inference: √(−2·ln(1 − |u|))·cos(πv) of two uniform numbers (Box and Muller, 1958), which is 0
 * where both are. No number is further out than √(2·ln 2¹⁰) = 3.7.
 */
export function normalNoise(n: Layers, like: Value): Value {
  const [u, v] = [uniformNoise(n, like), uniformNoise(n, like)];
  const tail = n.log(n.sub(n.number(1), n.abs(u)));
  const radius = n.sqrt(n.mul(tail, -2));
  return n.mul(radius, n.op("Cos", [n.mul(v, Math.PI)]));
}
