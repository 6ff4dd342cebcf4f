/** @file All kernels by qualified operator name. A family is one file and one line here. */

import { attentions } from "./attention.ts";
import { casts } from "./cast.ts";
import { classicals } from "./classical.ts";
import { constants } from "./constant.ts";
import { controls } from "./control.ts";
import { convolutions } from "./conv.ts";
import { einsums } from "./einsum.ts";
import { elementwise } from "./elementwise.ts";
import { gathers } from "./gather.ts";
import { samplings } from "./grid-sample.ts";
import type { Kernel } from "./kernel.ts";
import { losses } from "./loss.ts";
import { matrixProducts } from "./matmul.ts";
import { microsoftFloats } from "./microsoft.ts";
import { microsoftQuantized } from "./microsoft-quant.ts";
import { mixtures } from "./mixture.ts";
import { movements } from "./movement.ts";
import { normalizations } from "./norm.ts";
import { poolings } from "./pool.ts";
import { quantizations } from "./quant.ts";
import { randomness } from "./random.ts";
import { recurrents } from "./recurrent.ts";
import { reductions } from "./reduce.ts";
import { resizes } from "./resize.ts";
import { sequences } from "./sequence.ts";
import { signals } from "./signal.ts";
import { softmaxes } from "./softmax.ts";
import { sorts } from "./sort.ts";
import { strings } from "./text.ts";
import { optimizers } from "./training.ts";

const families = [
  attentions,
  casts,
  classicals,
  constants,
  controls,
  convolutions,
  einsums,
  elementwise,
  gathers,
  losses,
  matrixProducts,
  microsoftFloats,
  microsoftQuantized,
  mixtures,
  movements,
  normalizations,
  optimizers,
  poolings,
  quantizations,
  randomness,
  recurrents,
  reductions,
  resizes,
  samplings,
  sequences,
  signals,
  softmaxes,
  sorts,
  strings,
];

export const kernels: ReadonlyMap<string, Kernel> = new Map(
  families.flatMap((family) => Object.entries<Kernel>(family)),
);
