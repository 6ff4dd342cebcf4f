/** @file Which of the evaluations is best, and for how long there has been none better. */
import { UsageError } from "../../errors.ts";
import { metricOf } from "./evaluate.ts";
import type { Evaluation } from "./events.ts";
import type { FitOptions } from "./fit-options.ts";

export interface Monitor {
  readonly name: string;
  /** Whether `value` is an improvement over `best`. */
  improves(value: number, best: number): boolean;
}

export function monitorOf({ monitor = "loss", evaluate, earlyStopping }: FitOptions): Monitor {
  const known = (evaluate?.metrics ?? []).map((metric) => metricOf(metric));
  const metric = known.find(({ name }) => name === monitor);
  if (!metric && monitor !== "loss") {
    throw new UsageError("there is no such metric to monitor", {
      expected: ["loss", ...known.map(({ name }) => name)].join(", "),
      got: JSON.stringify(monitor),
    });
  }
  const delta = earlyStopping?.minDelta ?? 0;
  const higher = metric?.higherIsBetter ?? false;
  return { name: monitor, improves: (value, best) => (higher ? value > best + delta : value < best - delta) };
}

/** The position of the best evaluation; the first among equals. */
export function bestOf(evaluations: readonly Evaluation[], { name, improves }: Monitor): number | undefined {
  let best: number | undefined;
  for (const [i, { metrics }] of evaluations.entries()) {
    const value = metrics[name];
    if (value === undefined || Number.isNaN(value)) continue;
    if (best === undefined || improves(value, evaluations[best]!.metrics[name]!)) best = i;
  }
  return best;
}

/** Why the run should end, if it should. */
export function patienceLost(
  evaluations: readonly Evaluation[],
  best: number | undefined,
  { earlyStopping }: FitOptions,
  monitor: Monitor,
): string | undefined {
  if (!earlyStopping) return undefined;
  const waited = evaluations.length - 1 - (best ?? -1);
  if (waited < earlyStopping.patience) return undefined;
  return `${monitor.name} has not improved for ${waited} evaluations`;
}
