/** @file Which form of a convolution's gradient to emit, by shape; a measured table may overrule it. */
import { type ConvGeometry, product } from "./geometry.ts";
import { inputForms } from "./input-gradient.ts";
import { weightForms } from "./weight-gradient.ts";

export type InputForm = keyof typeof inputForms;
export type WeightForm = keyof typeof weightForms;

/** Preferences for a geometry, best first; a form that does not apply is passed over. */
export interface ConvChoice {
  input(geometry: ConvGeometry): readonly InputForm[];
  weight(geometry: ConvGeometry): readonly WeightForm[];
}

/**
 * Rules of thumb from measurements on the CPU provider (`bench/conv-gradients.ts` repeats them). dx: turning the kernel around
 * loses for few channels and for long kernels. dw: offsets in one matrix for few channels, one product per offset for many,
 * convolving with dy where strides leave few positions.
 */
export const defaultConvChoice: ConvChoice = {
  input: ({ inputs, kernel }) =>
    inputs < 8 || Math.max(...kernel) >= 5 ? ["transposed"] : ["flipped", "matmul", "transposed"],
  weight: ({ inputs, kernel, strides }) => {
    const isStrided = Math.max(...strides) > 1 && Math.max(...kernel) > 1;
    if (isStrided || Math.max(...kernel) > 5) return ["convolution"];
    return inputs * product(kernel) < 200 ? ["matmul", "columns", "convolution"] : ["matmul", "slices", "convolution"];
  },
};

export function inputForm(choice: ConvChoice, geometry: ConvGeometry) {
  const name = choice.input(geometry).find((form) => inputForms[form].applies(geometry)) ?? "transposed";
  return inputForms[name];
}

export function weightForm(choice: ConvChoice, geometry: ConvGeometry) {
  const name = choice.weight(geometry).find((form) => weightForms[form].applies(geometry)) ?? "convolution";
  return weightForms[name];
}
