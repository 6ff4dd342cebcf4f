/** @file Forms of dx of y = Conv(x, w); equal in value, different in speed. */

import { nth } from "../../checked.ts";
import type { Value } from "../../ir/index.ts";
import type { GradientBuilder } from "../gradient-builder.ts";
import type { InputForm } from "./choice.ts";
import { type ConvGeometry, isPointwise, product, reach } from "./geometry.ts";

export interface ConvForm {
  /** Whether the form can be used at all. */
  applies(geometry: ConvGeometry): boolean;
  build(g: GradientBuilder, operands: { x: Value; w: Value; dy: Value }, geometry: ConvGeometry): Value;
}

/** ConvTranspose with the same windows; what the last strides left over becomes output padding. */
const transposed: ConvForm = {
  applies: () => true,
  build(g, { w, dy }, geometry) {
    const { strides, dilations, begin, end, group, from, to } = geometry;
    const length = reach(geometry);
    const output_padding = from.map(
      (h, i) => h + nth(begin, i) + nth(end, i) - nth(length, i) - (nth(to, i) - 1) * nth(strides, i),
    );
    return g.op("ConvTranspose", [dy, w], { strides, dilations, pads: [...begin, ...end], group, output_padding });
  },
};

/** Stride 1: a convolution with the kernel turned around, input and output channels exchanged. */
const flipped: ConvForm = {
  applies: (geometry) => {
    const length = reach(geometry);
    const fits = length.every((n, i) => nth(geometry.begin, i) < n && nth(geometry.end, i) < n);
    return fits && geometry.group === 1 && geometry.strides.every((stride) => stride === 1);
  },
  build(g, { w, dy }, geometry) {
    const { dilations, begin, end, kernel } = geometry;
    const axes = kernel.map((_, i) => i + 2);
    const back = kernel.map(() => -1);
    const turned = g.op("Slice", [w, g.ints(back), g.ints(kernel.map((k) => -k - 1)), g.ints(axes), g.ints(back)]);
    const length = reach(geometry);
    const pads = [...begin.map((p, i) => nth(length, i) - 1 - p), ...end.map((p, i) => nth(length, i) - 1 - p)];
    return g.op("Conv", [dy, g.transpose(turned, [1, 0, ...axes])], { dilations, pads });
  },
};

/** A 1×1 kernel: one product per image, [C, O]·[N, O, HW]. */
const matmul: ConvForm = {
  applies: (geometry) => geometry.group === 1 && isPointwise(geometry),
  build(g, { x, w, dy }, { batch, inputs, outputs, to }) {
    const flat = g.reshape(dy, [batch, outputs, product(to)]);
    const matrix = g.transpose(g.reshape(w, [outputs, inputs]), [1, 0]);
    return g.reshapeLike(g.matmul(matrix, flat), x);
  },
};

export const inputForms = { transposed, flipped, matmul } satisfies Record<InputForm, ConvForm>;
