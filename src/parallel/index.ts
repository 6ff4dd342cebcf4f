/** @file Parallel networks: branches side by side, and where they run. */
export { partitionBranches } from "./partition/partition-branches.ts";
export { type StepParts, stepParts } from "./partition/step-parts.ts";
export { type Link, type Reduction, type ReductionName, reductions } from "./reductions.ts";
export {
  type NetworkCost,
  type RunCost,
  type SimulateOptions,
  type Simulation,
  type SumCost,
  simulate,
} from "./simulate.ts";
