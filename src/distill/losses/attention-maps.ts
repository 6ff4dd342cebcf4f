/** @file Attention maps: Zagoruyko and Komodakis, "Paying more attention to attention" (2016), arXiv:1612.03928. */

import type { Value } from "../../ir/index.ts";
import { checkOptions } from "../../options.ts";
import { member, number } from "../../settings/index.ts";
import type { StepBuilder } from "../../train/index.ts";
import {
  channelAxis,
  type DistillationLoss,
  type PairOptions,
  pairLoss,
  pairOptionsNames,
} from "./distillation-loss.ts";

/**
 * Where a layer looks: Q = Σ_c x², one number per position, ‖Q_t / ‖Q_t‖ − Q_s / ‖Q_s‖‖² summed over the positions, mean
 * over the samples. The widths may differ, the positions may not.
 */
export function attentionMaps(options: PairOptions): DistillationLoss {
  return pairLoss("attentionMaps", checkOptions(options, pairOptionsNames), {
    build(g, teacher, student) {
      const gap = g.sub(map(g, teacher), map(g, student));
      return g.mean(g.sum(g.mul(gap, gap), [1]));
    },
  });
}

member(attentionMaps, { pairs: "given", weight: number() });

/** [N, positions], each row of length 1. */
function map(g: StepBuilder, x: Value): Value {
  const energy = g.op("Flatten", [g.sum(g.mul(x, x), [channelAxis(x)])], { axis: 1 });
  const length = g.sqrt(g.add(g.sum(g.mul(energy, energy), [1], true), 1e-12));
  return g.div(energy, length);
}
