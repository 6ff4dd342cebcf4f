/** @file Training: step graphs, optimizers, losses, metrics, schedules and the trainer. */

export { loopedStep } from "./looped-step.ts";
export type { LossScaleOptions } from "./loss-scale.ts";
export * from "./losses/index.ts";
export * from "./metrics/index.ts";
export * from "./optimizers/index.ts";
export * from "./schedules/index.ts";
export type { Selection } from "./selection.ts";
export type { StateKind, StateTensor, TrainingStep, TrainingStepOptions } from "./step.ts";
export { trainingStep } from "./training-step.ts";
