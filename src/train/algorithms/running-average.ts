/** @file Running averages of the parameters: Polyak and Juditsky (1992). */
import type { Algorithm } from "./algorithm.ts";

/**
 * Keeps average ← d·average + (1 − d)·parameter in the step graph, with d at least 0 and below 1. What is evaluated and handed out are
 * the averages.
 */
export function runningAverage(decay: number): Algorithm {
  return {
    name: "running-average",
    start: () => ({ prepare: ({ step, ...rest }) => ({ ...rest, step: { ...step, average: decay } }) }),
  };
}
