/** @file Run folders and reports. */
export type * from "./facts.ts";
export * from "./format.ts";
export { lossOf } from "./loss.ts";
export { reportPage } from "./page.ts";
export { pageOfReport } from "./parse.ts";
export { type KeptPart, openRunFolder, type RunFolder } from "./run-folder.ts";
export { formatSpeed, formatSpread, formatTimes, formatWaiting } from "./speed.ts";
export type * from "./technique-facts.ts";
export { techniquePage } from "./technique-page.ts";
export { trainingCurve, trainingMeasurements } from "./training-events.ts";
export type * from "./training-facts.ts";
export { trainingPage } from "./training-page.ts";
