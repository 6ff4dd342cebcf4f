/** @file What the time budget had no room for, in words. */
import { enoughSeconds } from "./budget.ts";
import type { Job } from "./trial.ts";

/** Warns of samples that were left out; `verified` is the number of those that were not. */
export function warnOfShortage({ journal, samples, tried, budget }: Job, verified: number): void {
  const { sizes, isCut } = samples;
  const warn = (message: string): void => journal.warn("W_BUDGET", `the time budget of ${budget.seconds} s ${message}`);
  if (isCut) {
    const read = samples.isDivided ? sizes.selection + sizes.verification : sizes.selection;
    warn(`was too short to read all evaluation data: ${read} samples were read`);
  }
  const fewest = tried.reduce((least, { comparison }) => Math.min(least, comparison.n), sizes.selection);
  if (fewest < sizes.selection)
    warn(`was too short for all samples: forms were chosen on ${fewest} or more of ${sizes.selection}`);
  if (verified < sizes.verification) {
    warn(`was too short for all samples: the result was verified on ${verified} of ${sizes.verification}`);
  }
}

/** Seconds that would do, where there was time for no form of the model, as it is or cleaned; that is warned of too. */
export function shortageOf({ journal, late, budget, pace }: Job): number | undefined {
  const isMeasured = [...journal.results.values()].some(({ form, comparison }) => comparison && form !== "cleaned");
  if (isMeasured || late.size === 0) return undefined;
  const cleanup = journal.stages.find(({ name }) => name === "cleanup")?.milliseconds ?? 0;
  const enough = enoughSeconds(budget, pace, cleanup / 1000);
  const message = `the time budget of ${budget.seconds} s ended before any form was measured: about ${enough} s are needed`;
  journal.warn("W_BUDGET", message);
  return enough;
}
