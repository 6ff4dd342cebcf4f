/** @file The forms of gradients that are chosen without a measurement. */
import { defaultConvChoice } from "./conv/choose.ts";
import type { Forms } from "./forms.ts";
import { defaultPoolChoice, portablePoolChoice } from "./pool/choose.ts";

/** Rules of thumb for the CPU provider. */
export const defaultForms: Forms = {
  conv: defaultConvChoice,
  pool: defaultPoolChoice,
  rowSum: "product",
  weightProduct: "transposed",
};

/** The same without operators that the WebGPU provider lacks. */
export const portableForms: Forms = { ...defaultForms, pool: portablePoolChoice };
