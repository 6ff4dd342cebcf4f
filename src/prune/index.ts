/** @file Pruning: smaller networks of the same kind, and networks of the same size with zeros in them. */
export * from "./criteria/index.ts";
export type { Criterion, EvidenceKind, WeightRows } from "./criterion.ts";
export { type DropBlocksOptions, type DroppedBlocks, dropBlocks, type MeasuredBlock } from "./drop-blocks.ts";
export type { WeightEvidence } from "./evidence.ts";
export { type EvidenceOptions, gatherEvidence } from "./gather-evidence.ts";
export * from "./granularities/index.ts";
export type { CutWeight, Granularity } from "./granularity.ts";
export type { SparseRanking } from "./least-rows.ts";
export { type Masks, withMasks } from "./masks.ts";
export { masksOf } from "./masks-of.ts";
export { untrained } from "./meta/initial-weights.ts";
export {
  type MetaPruned,
  type MetaPruningEvent,
  type MetaPruningOptions,
  type MetaTraining,
  type MetaTrial,
  metaPruning,
} from "./meta/meta-pruning.ts";
export { type Choice, type Supernet, uniformChoices } from "./meta/supernet.ts";
export { metaPruneTechnique } from "./meta/technique.ts";
export type { WidthChoice, WidthScales } from "./meta/width-choices.ts";
export { type CountedChoices, countedChoices } from "./meta/width-space.ts";
export { type WidthSupernet, type WidthSupernetOptions, widthSupernet } from "./meta/width-supernet.ts";
export type { PrunedModel, PrunedWidth, PruneLimit, PruneReport, PruneSettings } from "./prunable.ts";
export { type PruneAmount, type PruneOptions, pruneModel } from "./prune.ts";
export {
  type MeasuredAmount,
  type MeasuredPrune,
  type MeasuredPruneOptions,
  type MeasuredPruneSettings,
  type PruneDecision,
  pruneMeasured,
} from "./prune-measured.ts";
export type { PruneTrial, RaceOptions } from "./race.ts";
export type { RankedWidth, Ranking } from "./ranking.ts";
export * from "./rankings/index.ts";
export {
  type LayerError,
  type ReconstructedModel,
  type ReconstructOptions,
  type ReconstructSettings,
  reconstructModel,
} from "./reconstruct.ts";
export type { Rounding } from "./rounding.ts";
export {
  bySensitivity,
  measurePruneSensitivity,
  type SensitivityOptions,
  type SensitivityRankingOptions,
  type WidthCurve,
} from "./sensitivity.ts";
export type { Untouched } from "./sparse-layers.ts";
export {
  type SparseLayerReport,
  type SparseModel,
  type SparsifyOptions,
  type SparsifySettings,
  type SparsityAmount,
  type SparsityReport,
  sparsifyModel,
} from "./sparsify.ts";
export { pruneTechnique } from "./technique-choice.ts";
export * from "./training/index.ts";
export type { WeightAxis, WeightSide } from "./weight-axes.ts";
export type { Width } from "./widths.ts";
