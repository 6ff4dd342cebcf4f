/** @file Parallel networks: branches side by side, made, trained, cut, and placed on devices; serial networks made parallel. */

export type { ResidualStep } from "../branches/index.ts";
export * from "./arrangements/index.ts";
export { type Block, type BlockRun, type BlockSurvey, surveyBlocks } from "./block-runs.ts";
export { branchesFromSerial } from "./branches-from-serial.ts";
export { type Judgement, type JudgeOptions, judge } from "./judge.ts";
export { keepBranches } from "./keep-branches.ts";
export { type MaskedModel, maskBranches } from "./mask-branches.ts";
export * from "./parallelize.ts";
export { partitionBranches } from "./partition/partition-branches.ts";
export { partitionSigns } from "./partition/partition-signs.ts";
export { type StepParts, stepParts } from "./partition/step-parts.ts";
export {
  checkShape,
  depthOf,
  fullPlan,
  type MeasuredWindow,
  type ParallelPlan,
  type PlanShape,
  stagesOf,
  type Window,
  windowsOf,
} from "./plan.ts";
export { type PrefixModel, prefixTerms, withPrefixOutputs } from "./prefix-outputs.ts";
export { type ProgressiveOptions, progressiveBranches } from "./progressive.ts";
export { parallelizeBlocks } from "./regroup.ts";
export { parallelizeTechnique } from "./technique.ts";
