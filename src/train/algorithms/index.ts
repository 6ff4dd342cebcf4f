/** @file Algorithms. One algorithm is one file and one line in `algorithms`; the law iterates over it. */
import { callbacks } from "./callbacks.ts";
import { driven } from "./driven.ts";
import { earlyStopping } from "./early-stopping.ts";
import { keepBest } from "./keep-best.ts";
import { probes } from "./probes.ts";
import { runningAverage } from "./running-average.ts";
import { withinClips } from "./within-clips.ts";

/** Every algorithm of training itself under its name. Other techniques bring their own. */
export const algorithms = {
  callbacks,
  driven,
  earlyStopping,
  keepBest,
  probes,
  runningAverage,
  withinClips,
} as const;

export type AlgorithmName = keyof typeof algorithms;

export type {
  Algorithm,
  Evaluated,
  EvaluationEvent,
  Hooks,
  Metrics,
  Preparation,
  RunSettings,
  SeamGradient,
  StepEvent,
  TrainingRun,
} from "./algorithm.ts";
export type { AlgorithmState, AlgorithmStates, Json } from "./algorithm-state.ts";
export type { Callbacks } from "./callbacks.ts";
export type { EarlyStoppingOptions } from "./early-stopping.ts";
export type { KeepBestOptions } from "./keep-best.ts";
export type { Look, Probe, ProbeContext } from "./probes.ts";
export { clippedParameters } from "./within-clips.ts";
export { callbacks, driven, earlyStopping, keepBest, probes, runningAverage, withinClips };
