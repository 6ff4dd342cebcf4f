/** @file One judge for all: latency, agreement, divergence, and what models compute inside. */
export { LARGEST_ERROR, type Lossy, lossyFaults, roundingFaults } from "./acceptance.ts";
export { type Agreement, type AgreementOptions, type Batch, measureAgreement } from "./agreement.ts";
export { type Benchmark, type BenchmarkOptions, benchmark, profileNodes } from "./benchmark.ts";
export { type Captured, type CaptureOptions, captureValues } from "./capture.ts";
export type { PairedAccuracy } from "./class-answers.ts";
export { type CompareOptions, type Comparison, type Contestant, compareSessions } from "./compare.ts";
export { dependsOnData } from "./data-dependent.ts";
export { isFloat, type NotFinite, type OutputAgreement } from "./distance.ts";
export { type Divergence, type DivergenceOptions, findDivergence, type ValueDivergence } from "./divergence.ts";
export type { Warning } from "./doubts.ts";
export {
  type BlockRow,
  type KernelBlocks,
  type KernelBlockTable,
  type KernelKind,
  type MeasureBlocksOptions,
  measureKernelBlocks,
} from "./kernel-blocks.ts";
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
export { kendallTau } from "./rank-correlation.ts";
export { openReplicas, openReplicated, type Replicas, type Replicated } from "./replicas.ts";
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
export { HORIZON, type Verdict } from "./verdict.ts";
