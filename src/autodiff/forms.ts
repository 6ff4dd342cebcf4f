/** @file Choices among forms of gradients that are equal in value and differ in speed. */
import { type ConvChoice, defaultConvChoice } from "./conv/choose.ts";
import { defaultPoolChoice, type PoolChoice } from "./pool/choose.ts";

export interface Forms {
  readonly conv: ConvChoice;
  readonly pool: PoolChoice;
}

/** Rules of thumb for the CPU provider. */
export const defaultForms: Forms = { conv: defaultConvChoice, pool: defaultPoolChoice };
