/** @file Training: step graphs, optimizers, losses, metrics, schedules and the trainer. */

export * from "./losses/index.ts";
export * from "./optimizers/index.ts";
