/** @file Parallel networks: branches side by side, and where they run; serial networks made parallel. */
export * from "./arrangements/index.ts";
export { type Block, type BlockRun, type BlockSurvey, requireRuns, surveyBlocks } from "./block-runs.ts";
export { type Answers, answersOf, type Judgement, type JudgeOptions, judge } from "./judge.ts";
export * from "./parallelize.ts";
export { partitionBranches } from "./partition/partition-branches.ts";
export * from "./plan.ts";
export { parallelizeBlocks } from "./regroup.ts";
export type { ResidualStep } from "./residual-steps.ts";
