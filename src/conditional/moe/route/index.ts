/** @file Trained dense networks turned into mixtures of experts. */
export { type ActivityOptions, measureActivity } from "./measure-activity.ts";
export * from "./methods/index.ts";
export { recoverRouted } from "./recover-routed.ts";
export * from "./route-model.ts";
export { routeTechnique } from "./technique.ts";
