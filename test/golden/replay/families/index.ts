/** @file The families of cases. One family is one file and one line in `families`. */
import type { Cases } from "../case.ts";
import { exported } from "./exported.ts";
import { gradients } from "./gradients.ts";
import { mixtures } from "./mixtures.ts";
import { parallelized } from "./parallelized.ts";
import { passes } from "./passes.ts";
import { quantized } from "./quantized.ts";
import { skipped } from "./skipped.ts";
import { training } from "./training.ts";
import { tuned } from "./tuned.ts";

export const families: Readonly<Record<string, Cases>> = {
  exported,
  gradients,
  mixtures,
  parallelized,
  passes,
  quantized,
  skipped,
  training,
  tuned,
};
