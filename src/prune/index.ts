/** @file Pruning: smaller networks of the same kind. */
export * from "./criteria/index.ts";
export type { Criterion, WeightRows } from "./criterion.ts";
export { untrained } from "./meta/initial-weights.ts";
export { type Choice, type Supernet, uniformChoices } from "./meta/supernet.ts";
export type { WidthChoice, WidthScales } from "./meta/width-choices.ts";
export { type WidthSupernet, type WidthSupernetOptions, widthSupernet } from "./meta/width-supernet.ts";
export {
  type PruneAmount,
  type PrunedModel,
  type PrunedWidth,
  type PruneOptions,
  type PruneReport,
  type PruneSettings,
  pruneModel,
} from "./prune.ts";
export type { RankedWidth, Ranking } from "./ranking.ts";
export * from "./rankings/index.ts";
export { pruneTechnique } from "./technique.ts";
export type { WeightAxis } from "./weight-axes.ts";
export type { Width } from "./widths.ts";
