/** @file Entry point for browsers: no Node built-in is within reach of it. */
export * from "./exports.ts";
export { openSession } from "./open.ts";
