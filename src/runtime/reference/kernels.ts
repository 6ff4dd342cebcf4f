/** @file All kernels by qualified operator name. A family is one file and one line here. */
import { casts } from "./cast.ts";
import { constants } from "./constant.ts";
import { controls } from "./control.ts";
import { convolutions } from "./conv.ts";
import { elementwise } from "./elementwise.ts";
import { gathers } from "./gather.ts";
import type { Kernel } from "./kernel.ts";
import { matrixProducts } from "./matmul.ts";
import { movements } from "./movement.ts";
import { normalizations } from "./norm.ts";
import { poolings } from "./pool.ts";
import { quantizations } from "./quant.ts";
import { randomness } from "./random.ts";
import { reductions } from "./reduce.ts";
import { sequences } from "./sequence.ts";
import { softmaxes } from "./softmax.ts";

const families = [
  casts,
  constants,
  controls,
  convolutions,
  elementwise,
  gathers,
  matrixProducts,
  movements,
  normalizations,
  poolings,
  quantizations,
  randomness,
  reductions,
  sequences,
  softmaxes,
];

export const kernels: ReadonlyMap<string, Kernel> = new Map(
  families.flatMap((family) => Object.entries<Kernel>(family)),
);
