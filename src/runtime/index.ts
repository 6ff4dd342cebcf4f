export {
  type ArrayFeed,
  type ArrayFeeds,
  type ArrayTensor,
  arrayTensor,
  type Elements,
  feedsOf,
  runArrays,
} from "./arrays.ts";
export { type SessionDefaults, setSessionDefaults } from "./defaults.ts";
export { describeHardware, probeProviders, runtimeBuild } from "./describe-hardware.ts";
export { feedBytes, formatPort } from "./feeds.ts";
export type { Hardware, ProviderState } from "./hardware.ts";
export type { Judge, Judged } from "./judge.ts";
export { judged, judgeOf } from "./judge-of.ts";
export { cpuSaturates, openSession } from "./open.ts";
export { type OpenPartition, openPartition } from "./open-partition.ts";
export {
  type Partition,
  type RunPart,
  type RunStep,
  runPartition,
  type SignStep,
  type Step,
  type SumStep,
} from "./partition.ts";
export { resideIn } from "./resident.ts";
export { applyRules } from "./rules/apply.ts";
export { isFetchable } from "./rules/fetchable.ts";
export { type RuleName, rules } from "./rules/index.ts";
export type { Rule, Target } from "./rules/rule.ts";
export * from "./run.ts";
export * from "./session.ts";
export { sessionOptionNames } from "./session-option-names.ts";
export type { SignConvolution, SignLayer, SignProduct } from "./xnor/layer.ts";
