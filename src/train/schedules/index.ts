/** @file Schedules of the learning rate. One schedule is one file and one line in `schedules`; the law iterates over it. */
import { constant } from "./constant.ts";
import { cosine } from "./cosine.ts";
import { linear } from "./linear.ts";
import { oneCycle } from "./one-cycle.ts";
import { stepDecay } from "./step-decay.ts";
import { warmup } from "./warmup.ts";

/** Every schedule under its name, with its usual settings when called without any. */
export const schedules = { constant, step: stepDecay, cosine, oneCycle, linear, warmup } as const;

export type ScheduleName = keyof typeof schedules;

export type { CosineOptions } from "./cosine.ts";
export type { LinearOptions } from "./linear.ts";
export type { OneCycleOptions } from "./one-cycle.ts";
export type { Schedule } from "./schedule.ts";
export type { StepDecayOptions } from "./step-decay.ts";
export type { WarmupOptions } from "./warmup.ts";
export { constant, cosine, linear, oneCycle, stepDecay, warmup };
