/** @file Distillation: a student follows a teacher's answers, features, attention or relations between samples. */
export { type DistillationGap, type DistillOptions, distill, distillationGap } from "./distill.ts";
export { type DistillationOptions, distillation } from "./distillation.ts";
export { type JointModel, type JointOptions, jointModel } from "./joint-model.ts";
export * from "./losses/index.ts";
export { type Answers, answersOf, type RecoveryOptions, recoveryFrom, recoveryOptionsNames } from "./recovery.ts";
