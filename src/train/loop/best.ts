/** @file Which of the evaluations is best. */
import { UsageError } from "../../errors.ts";
import type { Metric, MetricName } from "../metrics/index.ts";
import { metricOf } from "./evaluate.ts";
import type { Evaluation } from "./events.ts";

/** The metric that says which evaluation is better. */
export interface Monitor {
  readonly name: string;
  readonly higherIsBetter: boolean;
  /** What a metric has to be better by. */
  readonly minDelta: number;
}

/** The options of a run that decide it. */
export interface MonitorOptions {
  readonly monitor?: string;
  readonly evaluate?: { readonly metrics?: readonly (Metric | MetricName)[] };
  readonly earlyStopping?: { readonly minDelta?: number };
}

/** @throws UsageError for a metric that is not evaluated. */
export function monitorOf({ monitor = "loss", evaluate, earlyStopping }: MonitorOptions): Monitor {
  const known = (evaluate?.metrics ?? []).map((metric) => metricOf(metric));
  const metric = known.find(({ name }) => name === monitor);
  if (!metric && monitor !== "loss") {
    throw new UsageError("there is no such metric to monitor", {
      expected: ["loss", ...known.map(({ name }) => name)].join(", "),
      got: JSON.stringify(monitor),
    });
  }
  return { name: monitor, higherIsBetter: metric?.higherIsBetter ?? false, minDelta: earlyStopping?.minDelta ?? 0 };
}

/** The position of the best evaluation; the first among equals. */
export function bestOf(evaluations: readonly Evaluation[], monitor: Monitor): number | undefined {
  let best: number | undefined;
  for (const [i, { metrics }] of evaluations.entries()) {
    const value = metrics[monitor.name];
    if (value === undefined || Number.isNaN(value)) continue;
    if (best === undefined || improves(monitor, value, evaluations[best]!.metrics[monitor.name]!)) best = i;
  }
  return best;
}

function improves({ higherIsBetter, minDelta }: Monitor, value: number, best: number): boolean {
  return higherIsBetter ? value > best + minDelta : value < best - minDelta;
}
