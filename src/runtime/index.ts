export { LARGEST_ERROR, type Lossy, lossyFaults, roundingFaults } from "./acceptance.ts";
export { type Agreement, type AgreementOptions, type Batch, measureAgreement } from "./agreement.ts";
export { type Benchmark, type BenchmarkOptions, benchmark, profileNodes } from "./benchmark.ts";
export { type Captured, type CaptureOptions, captureValues, withOutputs } from "./capture.ts";
export type { PairedAccuracy } from "./class-answers.ts";
export { type CompareOptions, type Comparison, type Contestant, compareSessions } from "./compare.ts";
export { dependsOnData } from "./data-dependent.ts";
export { type SessionDefaults, setSessionDefaults } from "./defaults.ts";
export { isFloat, type NotFinite, type OutputAgreement } from "./distance.ts";
export { type Divergence, type DivergenceOptions, findDivergence, type ValueDivergence } from "./divergence.ts";
export type { Warning } from "./doubts.ts";
export { checkFeeds, feedBytes } from "./feeds.ts";
export { describeHardware, type Hardware, type ProviderState, probeProviders, runtimeBuild } from "./hardware.ts";
export { inspectTypes } from "./inspect-types.ts";
export { type Judge, type Judged, judged, judgeOf } from "./judge.ts";
export {
  type Contender,
  compareLatency,
  type LatencyComparison,
  type LatencyOptions,
  type LatencyStats,
  latencyOptionsNames,
  raceLatency,
  type Standing,
} from "./latency.ts";
export { withMaskProbes } from "./mask-probes.ts";
export { cpuSaturates, openSession } from "./open.ts";
export { type OpenPartition, openPartition } from "./open-partition.ts";
export { checkPartition, type Partition, type RunPart, type RunStep, runPartition, type SumStep } from "./partition.ts";
export { openReplicas, openReplicated, type Replicas, type Replicated } from "./replicas.ts";
export { resideIn } from "./resident.ts";
export { applyRules, isFetchable, MAX_OPSET, type Rule, type RuleName, rules, type Target } from "./rules.ts";
export * from "./run.ts";
export * from "./session.ts";
export { sessionOptionNames } from "./session-option-names.ts";
export {
  type BootstrapOptions,
  bootstrapInterval,
  type Interval,
  mean,
  median,
  quantile,
  studentQuantile,
  wilsonInterval,
} from "./statistics.ts";
export { timedInputs } from "./timed-inputs.ts";
export { HORIZON, type Verdict, verdictOf } from "./verdict.ts";
