/** @file Which form of a convolution's gradient to emit, by shape; a measured table may overrule it. */
import { maxOf } from "../../ir/index.ts";
import type { ConvChoice, InputForm, WeightForm } from "./choice.ts";
import { type ConvGeometry, product } from "./geometry.ts";
import { inputForms } from "./input-gradient.ts";
import { weightForms } from "./weight-gradient.ts";

/**
 * Rules of thumb from measurements on the CPU provider (`bench/conv-gradients.ts` repeats them). dx: turning the kernel around
 * loses for few channels and for long kernels. dw: offsets in one matrix for few channels; crossed shifts for large images,
 * one product per offset for small ones and for strides; convolving with dy for long kernels and strides over few channels.
 */
export const defaultConvChoice: ConvChoice = {
  input: ({ inputs, kernel }) =>
    inputs < 8 || maxOf(kernel) >= 5 ? ["transposed"] : ["flipped", "matmul", "transposed"],
  weight({ inputs, kernel, strides, to }) {
    const isThin = inputs * product(kernel) < 100;
    const isStrided = maxOf(strides) > 1 && maxOf(kernel) > 1;
    if (maxOf(kernel) > 5 || (isStrided && isThin)) return ["convolution"];
    if (isThin) return ["matmul", "columns", "convolution"];
    const isLarge = product(to) >= LARGE && !isStrided;
    return isLarge ? ["matmul", "crossed", "slices", "convolution"] : ["matmul", "slices", "convolution"];
  },
};

/** The forms that can be used at all for a geometry. */
export function convForms(geometry: ConvGeometry): { input: readonly InputForm[]; weight: readonly WeightForm[] } {
  const input = Object.keys(inputForms) as InputForm[];
  const weight = Object.keys(weightForms) as WeightForm[];
  return {
    input: input.filter((form) => inputForms[form].applies(geometry)),
    weight: weight.filter((form) => weightForms[form].applies(geometry)),
  };
}

/** Pixels of an image from which on copies weigh more than products. */
const LARGE = 256;

export function inputForm(choice: ConvChoice, geometry: ConvGeometry) {
  const name = choice.input(geometry).find((form) => inputForms[form].applies(geometry)) ?? "transposed";
  return inputForms[name];
}

export function weightForm(choice: ConvChoice, geometry: ConvGeometry) {
  const name = choice.weight(geometry).find((form) => weightForms[form].applies(geometry)) ?? "convolution";
  return weightForms[name];
}
