/** @file Run folders and reports. */
export type * from "./facts.ts";
export * from "./format.ts";
export { lossOf } from "./loss.ts";
export { reportPage } from "./page.ts";
export { parseReport } from "./parse.ts";
export { type KeptPart, openRunFolder, type RunFolder } from "./run-folder.ts";
