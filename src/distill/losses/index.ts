/** @file Distillation losses. One loss is one file and one line in `distillationLosses`; the law iterates over it. */
import { attentionMaps } from "./attention-maps.ts";
import { features } from "./features.ts";
import { relations } from "./relations.ts";
import { softTargets } from "./soft-targets.ts";

export const distillationLosses = { softTargets, features, attentionMaps, relations } as const;

export type DistillationLossName = keyof typeof distillationLosses;

export type { DistillationLoss, Pair, PairOptions } from "./distillation-loss.ts";
export type { SoftTargetOptions } from "./soft-targets.ts";
export { attentionMaps, features, relations, softTargets };
