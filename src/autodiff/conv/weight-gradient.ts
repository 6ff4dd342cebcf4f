/** @file Forms of dw of y = Conv(x, w); equal in value, different in speed. */

import { nth } from "../../checked.ts";
import type { Value } from "../../ir/index.ts";
import type { GradientBuilder } from "../gradient-builder.ts";
import type { WeightForm } from "./choice.ts";
import { type ConvGeometry, isPointwise, product, reach } from "./geometry.ts";
import type { ConvForm } from "./input-gradient.ts";

/** The convolution of x with dy, batch and channels exchanged, strides and dilations too. Always applies. */
const convolution: ConvForm = {
  applies: () => true,
  build(g, { x, w, dy }, geometry) {
    const { strides, dilations, begin, end, group, kernel } = geometry;
    const spatial = kernel.map((_, i) => i + 2);
    const swap = [1, 0, ...spatial];
    const attributes = { strides: dilations, dilations: strides, pads: [...begin, ...end], group };
    const images = group === 1 ? g.transpose(x, swap) : groupedImages(g, x, geometry);
    const long = g.op("Conv", [images, g.transpose(dy, swap)], attributes);
    const cut = g.slice(
      long,
      kernel.map(() => 0),
      kernel,
      spatial,
    );
    return g.reshapeLike(g.transpose(cut, swap), w);
  },
};

/** [N, g·C, …] → [C, g·N, …]: each group's batch becomes its channels. */
function groupedImages(g: GradientBuilder, x: Value, { batch, group, inputs, from }: ConvGeometry): Value {
  const axes = from.map((_, i) => i + 3);
  const open = g.op("Reshape", [x, g.shapeFrom([batch, group, inputs, ...from], x)]);
  const swapped = g.transpose(open, [2, 1, 0, ...axes]);
  return g.op("Reshape", [swapped, g.ints([inputs, -1, ...from])]);
}

/** For each kernel offset the pixels that it meets: x [A, B, …from] padded and cut with the strides, [A, B, …to]. */
function offsets(g: GradientBuilder, x: Value, { kernel, strides, dilations, begin, end, to }: ConvGeometry): Value[] {
  const isPadded = [...begin, ...end].some((amount) => amount > 0);
  const padded = isPadded ? g.op("Pad", [x, g.ints([0, 0, ...begin, 0, 0, ...end])]) : x;
  const axes = g.ints(kernel.map((_, i) => i + 2));
  return places(kernel).map((place) => {
    const starts = place.map((k, i) => k * nth(dilations, i));
    const ends = starts.map((start, i) => start + (nth(to, i) - 1) * nth(strides, i) + 1);
    return g.op("Slice", [padded, g.ints(starts), g.ints(ends), axes, g.ints(strides)]);
  });
}

/** All positions of a kernel, last axis fastest. */
function places(kernel: readonly number[]): number[][] {
  return kernel.reduce<number[][]>(
    (list, k) => list.flatMap((place) => [...Array(k).keys()].map((i) => [...place, i])),
    [[]],
  );
}

/** One product per offset and image, summed over the batch: [O, positions]·[positions, C]. */
const slices: ConvForm = {
  applies: ({ group }) => group === 1,
  build(g, { x, w, dy }, geometry) {
    const { batch, inputs, outputs, to } = geometry;
    const right = g.reshape(dy, [batch, outputs, product(to)]);
    const parts = offsets(g, x, geometry).map((cut) => {
      const part = g.reshape(cut, [batch, inputs, product(to)]);
      const perImage = g.matmul(right, g.transpose(part, [0, 2, 1]));
      return g.unsqueeze(g.sum(perImage, [0]), [2]);
    });
    const stacked = parts.length === 1 ? nth(parts, 0) : g.concat(parts, 2);
    return g.reshapeLike(stacked, w);
  },
};

/** All offsets in one matrix of columns, one product per image. */
const columns: ConvForm = {
  applies: ({ group }) => group === 1,
  build(g, { x, w, dy }, geometry) {
    const { batch, outputs, inputs, to, kernel } = geometry;
    const right = g.reshape(dy, [batch, outputs, product(to)]);
    const cols = offsets(g, x, geometry).map((cut) => g.reshape(cut, [batch, inputs, product(to)]));
    const perImage = g.matmul(right, g.transpose(joined(g, cols), [0, 2, 1]));
    const sum = g.reshape(g.sum(perImage, [0]), [outputs, product(kernel), inputs]);
    return g.reshapeLike(g.transpose(sum, [0, 2, 1]), w);
  },
};

/** All offsets and images in one product: [O, images·positions]·[images·positions, kernel·C]. */
const gemm: ConvForm = {
  applies: ({ group }) => group === 1,
  build(g, { x, w, dy }, geometry) {
    const { outputs, inputs, kernel } = geometry;
    const swap = [1, 0, ...kernel.map((_, i) => i + 2)];
    const right = g.reshape(g.transpose(dy, swap), [outputs, -1]);
    const rows = offsets(g, g.transpose(x, swap), geometry).map((cut) => g.reshape(cut, [inputs, -1]));
    const all = rows.length === 1 ? nth(rows, 0) : g.concat(rows, 0);
    const sum = g.reshape(g.matmul(right, g.transpose(all, [1, 0])), [outputs, product(kernel), inputs]);
    return g.reshapeLike(g.transpose(sum, [0, 2, 1]), w);
  },
};

/**
 * Stride 1: x moved along the last axis, dy along the others, so that one product per image meets all offsets of the
 * kernel while each is copied once per offset of its own axes alone.
 */
const crossed: ConvForm = {
  applies: (geometry) => {
    const { group, strides, begin, end, from } = geometry;
    const isInside = reach(geometry).every((n, i) => n <= nth(from, i) && nth(begin, i) < n && nth(end, i) < n);
    return group === 1 && strides.every((stride) => stride === 1) && isInside;
  },
  build(g, { x, w, dy }, geometry) {
    const { batch, inputs, outputs, kernel, dilations, begin, from, to } = geometry;
    const last = kernel.length - 1;
    const others = kernel.slice(0, last);
    const frame = [...from.slice(0, last), nth(to, last)];
    const ofX = [...Array(kernel[last]).keys()].map((k) => {
      const shift = [...others.map(() => 0), nth(begin, last) - k * nth(dilations, last)];
      return moved(g, x, from, shift, frame);
    });
    const ofDy = places(others).map((place) => {
      const shift = [...place.map((k, i) => k * nth(dilations, i) - nth(begin, i)), 0];
      return moved(g, dy, to, shift, frame);
    });
    const left = g.reshape(joined(g, ofX), [batch, ofX.length * inputs, product(frame)]);
    const right = g.reshape(joined(g, ofDy), [batch, ofDy.length * outputs, product(frame)]);
    const perImage = g.matmul(left, g.transpose(right, [0, 2, 1]));
    const sum = g.reshape(g.sum(perImage, [0]), [ofX.length, inputs, ...others, outputs]);
    return g.reshapeLike(g.transpose(sum, [kernel.length + 1, ...kernel.map((_, i) => i + 1), 0]), w);
  },
};

/** Its pixels moved by `shift`, zero where none comes from: [A, B, …from] → [A, B, …to]. */
function moved(
  g: GradientBuilder,
  x: Value,
  from: readonly number[],
  shift: readonly number[],
  to: readonly number[],
): Value {
  const after = to.map((length, i) => length - nth(from, i) - nth(shift, i));
  const isSame = [...shift, ...after].every((amount) => amount === 0);
  return isSame ? x : g.op("Pad", [x, g.ints([0, 0, ...shift, 0, 0, ...after])]);
}

/** Beside one another along the channels. */
function joined(g: GradientBuilder, parts: readonly Value[]): Value {
  return parts.length === 1 ? nth(parts, 0) : g.concat(parts, 1);
}

/** A 1×1 kernel: one product per image. */
const matmul: ConvForm = {
  applies: (geometry) => geometry.group === 1 && isPointwise(geometry),
  build(g, { x, w, dy }, { batch, inputs, outputs, to }) {
    const left = g.reshape(dy, [batch, outputs, product(to)]);
    const right = g.transpose(g.reshape(x, [batch, inputs, product(to)]), [0, 2, 1]);
    return g.reshapeLike(g.sum(g.matmul(left, right), [0]), w);
  },
};

export const weightForms = { convolution, slices, columns, crossed, gemm, matmul } satisfies Record<
  WeightForm,
  ConvForm
>;
