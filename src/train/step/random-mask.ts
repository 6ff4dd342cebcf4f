/**
 * @file Random masks in the graph as a function of a key, a layer and an element's position, so that a run can be resumed.
 *
 * Each position is mixed with two words of the key by multiplications and xor-shifts (the finaliser of Wellons,
 * "Hash function prospector", with a second key word in between), all in uint32 arithmetic.
 */
import { type DataType, tensorFromNumbers, type Value } from "../../ir/index.ts";
import { dimsOf, type StepBuilder } from "./step-builder.ts";

const FIRST = 0x7feb352d;
const SECOND = 0x846ca68b;
const GOLDEN = 0x9e3779b9;

/** 0 with probability `ratio`, else 1 / (1 − ratio), in the dims of `like`. `key` is uint32[2], `layer` any whole number. */
export function keepMask(
  g: StepBuilder,
  like: Value,
  ratio: number,
  key: Value,
  layer: number,
  dtype: DataType,
): Value {
  const mixed = randomWords(g, like, key, layer);
  const fraction = g.cast(g.op("BitShift", [mixed, word(g, 8)], { direction: "RIGHT" }), "float32");
  const kept = g.op("GreaterOrEqual", [fraction, g.number(Math.round(ratio * 2 ** 24), "float32")]);
  const flat = g.mul(g.mask(kept, dtype), 1 / (1 - ratio));
  const dims = dimsOf(like);
  const isFixed = dims.every((dim) => typeof dim === "number");
  return g.op("Reshape", [flat, isFixed ? g.ints(dims as number[]) : g.shape(like)]);
}

/** uint32, as many as `like` has elements: random words. `key` is uint32[2], `layer` any whole number. */
export function randomWords(g: StepBuilder, like: Value, key: Value, layer: number): Value {
  const [k0, k1] = layerKey(g, key, layer);
  const count = g.cast(g.op("Size", [like]), "int32");
  const positions = g.cast(g.op("Range", [g.number(0, "int32"), count, g.number(1, "int32")]), "uint32");
  const first = g.mul(shifted(g, xor(g, positions, k0), 16), word(g, FIRST));
  return g.mul(xor(g, shifted(g, first, 15), k1), word(g, SECOND));
}

/** Two words that differ in every bit for another key or layer. */
function layerKey(g: StepBuilder, key: Value, layer: number): [Value, Value] {
  const at = (i: number) => g.shared(`${key.name} ${i}`, () => g.gather(key, g.number(i, "int64"), 0));
  const offset = word(g, Math.imul(GOLDEN, layer + 1) >>> 0);
  const k0 = scrambled(g, xor(g, at(0), offset));
  const k1 = scrambled(g, g.add(k0, g.mul(at(1), word(g, GOLDEN))));
  return [scrambled(g, xor(g, k1, offset)), k1];
}

function scrambled(g: StepBuilder, x: Value): Value {
  const first = g.mul(shifted(g, x, 16), word(g, FIRST));
  const second = g.mul(shifted(g, first, 15), word(g, SECOND));
  return shifted(g, second, 16);
}

/** x ⊕ (x >> bits). */
function shifted(g: StepBuilder, x: Value, bits: number): Value {
  return xor(g, x, g.op("BitShift", [x, word(g, bits)], { direction: "RIGHT" }));
}

function xor(g: StepBuilder, a: Value, b: Value): Value {
  return g.op("BitwiseXor", [a, b]);
}

function word(g: StepBuilder, x: number): Value {
  return g.shared(`word ${x}`, () => g.constant("word", tensorFromNumbers("uint32", [], [x])));
}
