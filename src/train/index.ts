/** @file Training: step graphs, optimizers, losses, metrics, schedules and the trainer. */

export { answerOutput, areClasses } from "./answer-output.ts";
export type { Carry } from "./carry.ts";
export type { Drive, Drives, Turn } from "./drive.ts";
export { type EvaluateOptions, evaluateModel, evaluateOptionsNames } from "./evaluate.ts";
export type { Evaluation, Measurement, TrainEvent, TrainReport, TrainResult } from "./events.ts";
export * from "./finetune/index.ts";
export { fit, fitOptionsNames } from "./fit.ts";
export type { FitOptions } from "./fit-options.ts";
export * from "./gradient-forms/index.ts";
export { loopedStep } from "./looped-step.ts";
export type { LossScaleOptions } from "./loss-scale.ts";
export * from "./losses/index.ts";
export * from "./metrics/index.ts";
export type { LossTerm, ObjectiveOptions, TermContext } from "./objective.ts";
export * from "./optimizers/index.ts";
export type { Precision } from "./precision.ts";
export { predictedOutput } from "./predicted-output.ts";
export type { Look, Probe, ProbeContext } from "./probe.ts";
export { type Profile, type ProfileName, profileFor, profiles } from "./profiles.ts";
export * from "./schedules/index.ts";
export { type Chosen, chooseParameters, type Selection } from "./selection.ts";
export type { StateKind, StateTensor, TrainingStep, TrainingStepOptions } from "./step.ts";
export type { Operand, StepBuilder } from "./step-builder.ts";
export { trainedTensors, withParameters } from "./trained-model.ts";
export { trainingStep } from "./training-step.ts";
