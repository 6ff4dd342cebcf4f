/** @file Every family of pairwise cases. */
import type { Family } from "../family.ts";
import { elementwiseFamilies } from "./elementwise.ts";
import { imageFamilies } from "./images.ts";
import { indexingFamilies } from "./indexing.ts";
import { productFamilies } from "./products.ts";
import { recurrentFamilies } from "./recurrent.ts";
import { reductionFamilies } from "./reductions.ts";
import { shapeFamilies } from "./shapes.ts";
import { windowFamilies } from "./windows.ts";

export const families: readonly Family[] = [
  ...windowFamilies,
  ...shapeFamilies,
  ...elementwiseFamilies,
  ...reductionFamilies,
  ...indexingFamilies,
  ...productFamilies,
  ...imageFamilies,
  ...recurrentFamilies,
];
