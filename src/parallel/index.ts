/** @file Parallel networks: serial networks made parallel. */
export * from "./arrangements/index.ts";
export { type Block, type BlockRun, type BlockSurvey, requireRuns, surveyBlocks } from "./block-runs.ts";
export { branchesFromSerial } from "./branches-from-serial.ts";
export { keepBranches } from "./keep-branches.ts";
export { type MaskedModel, maskBranches } from "./mask-branches.ts";
export * from "./plan.ts";
export { type PrefixModel, prefixTerms, withPrefixOutputs } from "./prefix-outputs.ts";
export { type ProgressiveOptions, progressiveBranches } from "./progressive.ts";
export { parallelizeBlocks } from "./regroup.ts";
export type { ResidualStep } from "./residual-steps.ts";
