/** @file Training: step graphs, optimizers, losses, metrics, schedules and the trainer. */

export * from "./algorithms/index.ts";
export { answerOutput, answerScores, areClasses } from "./feeds/answer-output.ts";
export type { BatchPart } from "./feeds/batch-part.ts";
export type { Drive, Drives, Turn } from "./feeds/drive.ts";
export { predictedOutput } from "./feeds/predicted-output.ts";
export * from "./finetune/index.ts";
export * from "./gradient-forms/index.ts";
export type { Monitor } from "./loop/best.ts";
export type { Checkpoint, Checkpoints, RunProgress } from "./loop/checkpoints.ts";
export { type EvaluateOptions, evaluateModel, evaluateOptionsNames } from "./loop/evaluate.ts";
export type { Evaluation, Measurement, TrainEvent, TrainReport, TrainResult } from "./loop/events.ts";
export { fit } from "./loop/fit.ts";
export { type FitOptions, fitOptionsNames } from "./loop/fit-options.ts";
export { type RecalibrateOptions, recalibrated } from "./loop/recalibrate.ts";
export { withParameters } from "./loop/trained-model.ts";
export {
  type GradientOptions,
  gradientOptionsNames,
  type WeightGradients,
  weightGradients,
} from "./loop/weight-gradients.ts";
export * from "./losses/index.ts";
export * from "./metrics/index.ts";
export * from "./optimizers/index.ts";
export * from "./schedules/index.ts";
export type { Carry } from "./step/carry.ts";
export { newBuilder } from "./step/fresh-input.ts";
export { loopedStep } from "./step/looped-step.ts";
export type { LossScaleOptions } from "./step/loss-scale.ts";
export type { LossTerm, ObjectiveOptions, TermContext } from "./step/objective.ts";
export type { Precision } from "./step/precision.ts";
export { type Profile, type ProfileName, profiles } from "./step/profiles.ts";
export { randomWords } from "./step/random-mask.ts";
export { type Chosen, chooseParameters, type Selection } from "./step/selection.ts";
export {
  type GradientGraph,
  type GradientTensor,
  type SplitOptions,
  type SplitStep,
  splitStep,
  type UpdateGraph,
} from "./step/split-step.ts";
export type { LossNames, StateKind, StateTensor, TrainingStep, TrainingStepOptions, UpdateNames } from "./step/step.ts";
export type { StepBuilder } from "./step/step-builder.ts";
export { trainingStep } from "./step/training-step.ts";
