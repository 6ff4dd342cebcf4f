/** @file Functions of the caller that are told of steps and evaluations, and may end the run. */
import { checkOptions, type OptionNames } from "../../options.ts";
import type { Algorithm, EvaluationEvent, StepEvent, TrainingRun } from "./algorithm.ts";

/** Called and awaited in order; `"stop"` ends the run as early stopping does. */
export interface Callbacks {
  readonly onStep?: (event: StepEvent) => unknown;
  readonly onEvaluation?: (event: EvaluationEvent) => unknown;
}

const callbacksNames: OptionNames<Callbacks> = { onStep: true, onEvaluation: true };

/** Calls functions at steps and evaluations. They look only: what changes training is an algorithm of its own. */
export function callbacks(functions: Callbacks): Algorithm {
  const { onStep, onEvaluation } = checkOptions(functions, callbacksNames);
  const heed = (answer: unknown, run: TrainingRun): void => {
    if (answer === "stop") run.stop("a callback asked for it");
  };
  return {
    name: "callbacks",
    start: () => ({
      ...(onStep && { onStep: async (event, run) => heed(await onStep(event), run) }),
      ...(onEvaluation && { onEvaluation: async ({ event }, run) => heed(await onEvaluation(event), run) }),
    }),
  };
}
