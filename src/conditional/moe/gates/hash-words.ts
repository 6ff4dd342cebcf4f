/** @file A hash of whole numbers in int32 arithmetic, so that routes without learning are ordinary nodes. */
import { tensorFromNumbers, type Value } from "../../../ir/index.ts";
import type { Layers } from "../../../nn/index.ts";

const FIRST = 0x7feb352d;
const SECOND = 0x846ca68b;

/** uint32 words of int64 or uint32 numbers: xor-shifts and multiplications (the finaliser of Wellons, "Hash function prospector"). */
export function hashed(n: Layers, x: Value, seed: number): Value {
  const word = (value: number) => n.constant("word", tensorFromNumbers("uint32", [], [value >>> 0]));
  const shifted = (value: Value, bits: number) =>
    n.op("BitwiseXor", [value, n.op("BitShift", [value, word(bits)], { direction: "RIGHT" })]);
  const words = n.cast(x, "uint32");
  const start = n.op("BitwiseXor", [words, word(Math.imul(0x9e3779b9, seed + 1))]);
  const first = n.mul(shifted(start, 16), word(FIRST));
  return shifted(n.mul(shifted(first, 15), word(SECOND)), 16);
}

/** Words modulo a count, as int64. */
export function remainder(n: Layers, words: Value, count: number): Value {
  const whole = n.cast(words, "int64");
  return n.op("Mod", [whole, n.constant("count", tensorFromNumbers("int64", [], [count]))]);
}
