/** @file Sums of updates by position. */
import type { Value } from "../ir/index.ts";
import type { GradientBuilder } from "./gradient-builder.ts";

/**
 * `into` with each update added at its place along `axis`; places may repeat. By ScatterElements, since ScatterND loses updates
 * on several threads; 16-bit floats are summed as float32, which is also the only way that ONNX Runtime's CPU provider can.
 */
export function scatterAdd(g: GradientBuilder, into: Value, places: Value, updates: Value, axis: number): Value {
  const dtype = g.dtype(into);
  const isNarrow = dtype === "float16" || dtype === "bfloat16";
  const wide = (x: Value): Value => (isNarrow ? g.cast(x, "float32") : x);
  const sum = g.op("ScatterElements", [wide(into), places, wide(updates)], { axis, reduction: "add" });
  return g.cast(sum, dtype);
}

/** The flat position of every element of x, in the dims of x. */
export function positionsOf(g: GradientBuilder, x: Value): Value {
  const number = (value: number): Value => g.number(value, g.ints([0]));
  const flat = g.op("Range", [number(0), g.op("Size", [x]), number(1)]);
  return g.op("Reshape", [flat, g.shape(x)], { allowzero: true });
}

/** dx of a y whose elements are copies of x's at `places`, flat positions in x: each element goes back to its own. */
export function sumAtPlaces(g: GradientBuilder, x: Value, places: Value, dy: Value): Value {
  const flat = (value: Value): Value => g.reshape(value, [-1]);
  return g.reshapeLike(scatterAdd(g, flat(g.zerosLike(x)), flat(places), flat(dy), 0), x);
}
