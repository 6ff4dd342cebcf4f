/** @file How to train a network on a cluster. */
export type { Placement } from "./candidates.ts";
export { type Cluster, clusterFrom, type Rates } from "./cluster.ts";
export {
  type PlannedStage,
  type PlanOptions,
  type PlanRow,
  planTraining,
  type StepParts,
  type TrainingPlan,
} from "./plan-training.ts";
export { optimizerCopies, type PlannedOptimizer } from "./stage-costs.ts";
