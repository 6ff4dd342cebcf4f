/** @file Distillation: a student follows a teacher's answers, features, attention or relations between samples. */
export { type DistillationGap, type DistillOptions, distill, distillationGap } from "./distill.ts";
export { type DistillationOptions, distillation } from "./distillation.ts";
export { type EnsembleOptions, ensemble } from "./ensemble.ts";
export { type JointModel, type JointOptions, jointModel, teacherInputs } from "./joint-model.ts";
export type { AnswerCache } from "./kept-answers.ts";
export * from "./losses/index.ts";
export { type MultiTaskOptions, multiTask, type Task } from "./multi-task.ts";
export { type Answers, answersOf, type RecoveryOptions, recoveryFrom, recoveryOptionsNames } from "./recovery.ts";
export { type TransformerLayer, type TransformerValues, transformerLayers } from "./transformer-layers.ts";
export { type TransformerTargetOptions, transformerTargets } from "./transformer-targets.ts";
export { type WordTable, wordTable } from "./word-table.ts";
