/** @file Layers that learned gates skip. */
export { exportSkipping, gatesOf } from "./export-skipping.ts";
export { type SkippableOptions, skippable, skipTerm } from "./skippable.ts";
