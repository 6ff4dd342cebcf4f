/** @file Networks of several widths. */
export { atWidth, type SlimmableModel, type SlimmableOptions, slimmable, widthTerms } from "./slimmable.ts";
