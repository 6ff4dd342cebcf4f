/** @file Distillation losses. One loss is one file and one line in `distillationLosses`; the law iterates over it. */
import { angles } from "./angles.ts";
import { attentionMaps } from "./attention-maps.ts";
import { attentionScores } from "./attention-scores.ts";
import { contrasts } from "./contrasts.ts";
import { correlations } from "./correlations.ts";
import { decoupledTargets } from "./decoupled-targets.ts";
import { distances } from "./distances.ts";
import { features } from "./features.ts";
import { hints } from "./hints.ts";
import { relations } from "./relations.ts";
import { softTargets } from "./soft-targets.ts";
import { standardisedTargets } from "./standardised-targets.ts";

export const distillationLosses = {
  softTargets,
  standardisedTargets,
  decoupledTargets,
  correlations,
  features,
  hints,
  attentionMaps,
  attentionScores,
  relations,
  distances,
  angles,
  contrasts,
} as const;

export type DistillationLossName = keyof typeof distillationLosses;

export type { ContrastOptions } from "./contrasts.ts";
export type { CorrelationOptions } from "./correlations.ts";
export type { DecoupledOptions } from "./decoupled-targets.ts";
export type { DistillationLoss, Memory, Pair, PairOptions, Remembered } from "./distillation-loss.ts";
export type { SoftTargetOptions } from "./soft-targets.ts";
export {
  angles,
  attentionMaps,
  attentionScores,
  contrasts,
  correlations,
  decoupledTargets,
  distances,
  features,
  hints,
  relations,
  softTargets,
  standardisedTargets,
};
