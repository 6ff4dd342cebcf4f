import { checkCount, checkOptions, type OptionNames } from "../../options.ts";
import { bestOf, type Monitor } from "../loop/best.ts";
import type { Evaluation } from "../loop/events.ts";
import type { Algorithm, TrainingRun } from "./algorithm.ts";

export interface EarlyStoppingOptions {
  /** Evaluations without an improvement after which the run ends. */
  readonly patience: number;
  /** What an evaluation has to be better by, in the metric that the run monitors; 0 by default. */
  readonly minDelta?: number;
}

const earlyStoppingOptionsNames: OptionNames<EarlyStoppingOptions> = { patience: true, minDelta: true };

/** Ends the run after `patience` evaluations without an improvement of more than `minDelta`. */
export function earlyStopping(options: EarlyStoppingOptions): Algorithm {
  const { patience, minDelta = 0 } = checkOptions(options, earlyStoppingOptionsNames);
  checkCount("earlyStopping.patience", patience);
  const look = (run: TrainingRun): void => {
    const reason = patienceLost(run.evaluations, { ...run.monitor, minDelta }, patience);
    if (reason !== undefined) run.stop(reason);
  };
  return {
    name: "early-stopping",
    needs: ["evaluate"],
    start: () => ({ onStart: look, onEvaluation: (_, run) => look(run) }),
  };
}

/** Why the run should end, if it should. */
export function patienceLost(
  evaluations: readonly Evaluation[],
  monitor: Monitor,
  patience: number,
): string | undefined {
  const waited = evaluations.length - 1 - (bestOf(evaluations, monitor) ?? -1);
  return waited < patience ? undefined : `${monitor.name} has not improved for ${waited} evaluations`;
}
