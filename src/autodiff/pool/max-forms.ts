/** @file Forms of dx of y = MaxPool(x); they differ in speed, in what providers run them, and in how ties share. */

import { nth } from "../../checked.ts";
import { boundedSize, intOf, type Node, tensorType, type Value } from "../../ir/index.ts";
import { isTiling, type PoolGeometry, reach } from "../conv/geometry.ts";
import type { GradientBuilder } from "../gradient-builder.ts";
import { scatterAdd } from "../scatter.ts";
import type { MaxPoolFormName } from "./choice.ts";
import { repeatWindows } from "./window-sum.ts";

export interface MaxPoolOperands {
  readonly node: Node;
  readonly x: Value;
  readonly y: Value;
  readonly dy: Value;
}

export interface MaxPoolForm {
  /** Whether the form can be used at all. */
  applies(geometry: PoolGeometry, node: Node): boolean;
  build(g: GradientBuilder, operands: MaxPoolOperands, geometry: PoolGeometry): Value;
}

/** Each element of dy goes to the first maximum of its window, which the forward node reports. */
const indices: MaxPoolForm = {
  applies: (_, node) => intOf(node, "storage_order", 0) === 0,
  build(g, { node, x, y, dy }, geometry) {
    const places = g.output(node, 1, tensorType("int64", g.dims(y)));
    if (unpoolsTo(geometry)) return unpool(g, dy, places, geometry);
    const flat = (value: Value): Value => g.reshape(value, [-1]);
    const zeros = flat(g.zerosLike(x));
    return g.reshapeLike(scatterAdd(g, zeros, flat(places), flat(dy), 0), x);
  },
};

function unpool(g: GradientBuilder, dy: Value, places: Value, { kernel, strides, begin, end }: PoolGeometry): Value {
  return g.op("MaxUnpool", [dy, places], { kernel_shape: kernel, strides, pads: [...begin, ...end] });
}

/** Windows that do not overlap, and whose own output length leads back to the input's. */
function unpoolsTo(geometry: PoolGeometry): boolean {
  const { strides, dilations, kernel, begin, end, from, to } = geometry;
  const length = reach(geometry);
  return from.every(
    (n, i) =>
      dilations[i] === 1 &&
      nth(strides, i) >= nth(length, i) &&
      (nth(to, i) - 1) * nth(strides, i) - nth(begin, i) - nth(end, i) + nth(kernel, i) === n,
  );
}

/** Windows that tile the input: compared in place. Equal maxima share the cotangent. */
const repeated: MaxPoolForm = {
  applies: isTiling,
  build(g, { x, y, dy }, geometry) {
    const { kernel } = geometry;
    const hits = g.mask(g.equal(x, repeatWindows(g, y, geometry)), x);
    const mean = g.op("AveragePool", [hits], { kernel_shape: kernel, strides: kernel });
    const share = g.div(
      dy,
      g.scale(
        mean,
        kernel.reduce((n, k) => n * k, 1),
      ),
    );
    return g.mul(hits, repeatWindows(g, share, geometry));
  },
};

/** Every window laid out by convolution with one-hot kernels; equal maxima share. Runs on every provider. */
const compared: MaxPoolForm = {
  applies: () => true,
  build(g, { x, y, dy }, geometry) {
    const { batch, channels, kernel, strides, dilations, begin, from, to } = geometry;
    const size = kernel.reduce((n, k) => n * k, 1);
    const length = reach(geometry);
    const last = to.map((n, i) => (n - 1) * nth(strides, i) + nth(length, i) - nth(begin, i) - nth(from, i));
    const behind = last.map((n) => Math.max(0, n));
    const low = g.number(-1e30, x);
    const padded = g.op("Pad", [x, g.ints([0, 0, ...begin, 0, 0, ...behind]), low]);
    const hot = oneHot(g, x, channels, kernel, size);
    const windows = g.op("Conv", [padded, hot], { strides, dilations, group: channels });
    const open = [batch, channels, size, ...to];
    const hits = g.mask(g.equal(g.reshape(windows, open), g.unsqueeze(y, [2])), x);
    const share = g.div(dy, g.sum(hits, [2]));
    const parts = g.reshape(g.mul(hits, g.unsqueeze(share, [2])), [batch, channels * size, ...to]);
    const output_padding = last.map((n) => Math.max(0, -n));
    const pads = [...begin, ...behind];
    return g.op("ConvTranspose", [parts, hot], { strides, dilations, pads, output_padding, group: channels });
  },
};

/** [C·K, 1, …kernel]: kernel k of a channel picks position k. */
function oneHot(g: GradientBuilder, like: Value, channels: number, kernel: readonly number[], size: number): Value {
  const values = new Float64Array(boundedSize(channels * size * size));
  for (let row = 0; row < channels * size; row++) values[row * size + (row % size)] = 1;
  return g.matrix(like, [channels * size, 1, ...kernel], values);
}

export const maxPoolForms = { indices, repeated, compared } satisfies Record<MaxPoolFormName, MaxPoolForm>;
