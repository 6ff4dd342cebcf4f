export type * from "./facts.ts";
export * from "./format.ts";
export { lossOf, reportPage } from "./page.ts";
