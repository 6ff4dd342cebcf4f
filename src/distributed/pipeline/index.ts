/** @file Networks cut into stages, which ranks run one behind the other. */
export { openPipelineRank, type PipelineBatch, type PipelineRank, type PipelineRankOptions } from "./pipeline-rank.ts";
export { type Carried, type PipelineOptions, type PipelineStage, pipelineStages } from "./stages.ts";
