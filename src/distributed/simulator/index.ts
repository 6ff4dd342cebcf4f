/** @file What schedules would take on machines that are not there. */
export { allReduceTime } from "./all-reduce.ts";
export { criticalPath, mostWork } from "./bounds.ts";
export {
  type NetworkCost,
  type RunCost,
  type SimulateOptions,
  type Simulation,
  type SumCost,
  simulate,
} from "./branches.ts";
export type { MemoryChange, Task } from "./events.ts";
export { type ServerStepOptions, simulateServerStep } from "./parameter-server.ts";
export { type Link, type Reduction, type ReductionName, reductions } from "./reductions.ts";
export { type After, type DeviceUse, type Schedule, type Simulated, schedule } from "./schedule.ts";
export { evenTopology, type LevelLink, type Topology } from "./topology.ts";
export {
  type BackwardPart,
  type MeshStepOptions,
  type PipelineOrder,
  pipelineOrders,
  type SimulatedStep,
  type StageCost,
  simulateStep,
} from "./training-step.ts";
