/** @file The adjoint of a sum over windows, in two forms, and how many elements each window holds. */
import { nth } from "../../checked.ts";
import { boundedSize, sizeOf, type Value } from "../../ir/index.ts";
import { isTiling, type PoolGeometry } from "../conv/geometry.ts";
import type { GradientBuilder } from "../gradient-builder.ts";

/** Adds each element of dy [N, C, …to] to all positions of its window: [N, C, …from]. */
export function spreadWindows(g: GradientBuilder, dy: Value, geometry: PoolGeometry): Value {
  return isTiling(geometry) ? repeatWindows(g, dy, geometry) : transposedOnes(g, dy, geometry);
}

/** Windows that tile the input: every element is repeated over its window. */
export function repeatWindows(g: GradientBuilder, y: Value, { kernel }: PoolGeometry): Value {
  const scales = g.matrix(y, [kernel.length + 2], [1, 1, ...kernel]);
  const attributes = { mode: "nearest", coordinate_transformation_mode: "asymmetric", nearest_mode: "floor" };
  return g.op("Resize", [y, undefined, g.cast(scales, "float32")], attributes);
}

/** A transposed convolution with ones. Padding that only rounding up made is added at the end. */
function transposedOnes(g: GradientBuilder, dy: Value, geometry: PoolGeometry): Value {
  const { kernel, strides, dilations, begin, end, from, to, channels } = geometry;
  const open = from.map((length, i) => {
    const covered = (nth(to, i) - 1) * nth(strides, i) + (nth(kernel, i) - 1) * nth(dilations, i) + 1;
    return length + nth(begin, i) + nth(end, i) - covered;
  });
  const output_padding = open.map((n) => Math.max(0, n));
  const pads = [...begin, ...end.map((n, i) => n - Math.min(0, nth(open, i)))];
  const size = [channels, 1, ...kernel];
  const ones = g.matrix(dy, size, new Array<number>(boundedSize(sizeOf(size))).fill(1));
  return g.op("ConvTranspose", [dy, ones], { strides, dilations, pads, output_padding, group: channels });
}

/** 1 / (elements of each window), [1, 1, …to]; padding counts only when `includesPadding`. */
export function inverseCounts(
  g: GradientBuilder,
  like: Value,
  geometry: PoolGeometry,
  includesPadding: boolean,
): Value {
  const perAxis = geometry.from.map((length, i) => countsAlong(geometry, i, length, includesPadding));
  boundedSize(sizeOf(geometry.to));
  const counts = perAxis.reduce((rows, list) => rows.flatMap((row) => list.map((n) => row * n)), [1]);
  if (counts.every((n) => n === counts[0])) return g.number(1 / nth(counts, 0), like);
  return g.matrix(
    like,
    [1, 1, ...geometry.to],
    counts.map((n) => 1 / n),
  );
}

function countsAlong(geometry: PoolGeometry, axis: number, length: number, includesPadding: boolean): number[] {
  const [k, s, d] = [nth(geometry.kernel, axis), nth(geometry.strides, axis), nth(geometry.dilations, axis)];
  const first = includesPadding ? -nth(geometry.begin, axis) : 0;
  const past = includesPadding ? length + nth(geometry.end, axis) : length;
  boundedSize(nth(geometry.to, axis) * k);
  return Array.from({ length: nth(geometry.to, axis) }, (_, i) => {
    const start = i * s - nth(geometry.begin, axis);
    return Array.from({ length: k }, (_, j) => start + j * d).filter((at) => at >= first && at < past).length;
  });
}
