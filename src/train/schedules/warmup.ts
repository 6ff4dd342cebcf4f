/** @file A linear rise before another schedule: Goyal et al., "Accurate, large minibatch SGD" (2017), arXiv:1706.02677. */
import { UsageError } from "../../errors.ts";
import { checkOptions, type OptionNames } from "../../options.ts";
import { member, number } from "../../settings/index.ts";
import { cosine } from "./cosine.ts";
import type { Schedule } from "./schedule.ts";

export interface WarmupOptions {
  /** Steps of the rise; a share of the run where it is below 1. */
  readonly steps?: number;
  /** What follows, over the steps that are left; a cosine by default. */
  readonly next?: Schedule;
}

const warmupOptionsNames: OptionNames<WarmupOptions> = { steps: true, next: true };

/** (step + 1) / steps during the rise. */
export function warmup(options: WarmupOptions = {}): Schedule {
  const { steps = 0.05, next = cosine() } = checkOptions(options, warmupOptionsNames);
  if (!(steps >= 0))
    throw new UsageError("a warm-up is a number of steps", { expected: "at least 0", got: String(steps) });
  return (step, total) => {
    const rise = Math.min(total, Math.round(steps < 1 ? steps * total : steps));
    if (step < rise) return (step + 1) / rise;
    return next(step - rise, Math.max(1, total - rise));
  };
}

member(warmup, { steps: number(), next: "code" });
