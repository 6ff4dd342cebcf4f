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
