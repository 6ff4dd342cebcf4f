/** @file Early exit: classifiers at inner values, thresholds, one model under nested `If`, and runs over batches. */
export { addExits, type ExitModel, type ExitOptions, exitsOf, exitTerms } from "./add-exits.ts";
export { cascadeTechnique } from "./cascade-technique.ts";
export {
  type ChosenThresholds,
  chooseThresholds,
  outcomeOf,
  type ThresholdOptions,
} from "./choose-thresholds.ts";
export * from "./confidences/index.ts";
export { type ExitRecords, exitCosts, type RecordOptions, recordExits } from "./exit-records.ts";
export { type EarlyExitOptions, exportEarlyExit } from "./export-early-exit.ts";
export { type ExitHead, type ExitHeadOptions, exitHead } from "./head.ts";
export type { ExitEvidence } from "./leaving.ts";
export { type Neck, type NeckOptions, necksOf } from "./necks.ts";
export { balancedPlaces, exitPlaces } from "./places.ts";
export { type EarlyExitSession, type ExitedBatch, exitSegments, openEarlyExit, type Segment } from "./segments.ts";
export { type ScoredModel, type StageOptions, withScores } from "./staged-model.ts";
export { exitsTechnique } from "./technique.ts";
export { type HeadTraining, trainHeads } from "./train-heads.ts";
