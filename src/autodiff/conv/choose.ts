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

/** Rules of thumb from measurements on two x86 cores; `bench/conv-gradients.ts` repeats them. */
export const defaultConvChoice: ConvChoice = {
  input: () => ["matmul", "flipped", "transposed"],
  weight: ({ inputs, kernel }) => {
    if (inputs * product(kernel) < 64 || Math.max(...kernel) > 5) return ["matmul", "convolution"];
    return ["matmul", "slices", "convolution"];
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
