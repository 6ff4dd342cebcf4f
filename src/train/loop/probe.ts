/** @file What a run looks at beside its metrics: probes, which measure the model at evaluations. */
import { type Dataset, inlineLoader } from "../../data/index.ts";
import type { Model } from "../../ir/index.ts";
import { type Feeds, type OpenSession, openSession, type SessionOptions } from "../../runtime/index.ts";
import { type BatchSource, batchForm, dataInputs, fedBatches, fixedBatch } from "../feeds/batch-feeds.ts";
import { type Drives, evaluationFeeds, undriven } from "../feeds/drive.ts";
import type { Evaluation, Measurement, TrainEvent } from "./events.ts";

/** Looks at the model of a run and changes nothing. */
export interface Probe {
  readonly name: string;
  /** Begins a run. */
  start(): Look;
}

/** Called at every evaluation, in order; in a resumed run first with the model of the last evaluation, where the checkpoint still holds it. */
export type Look = (model: Model, context: ProbeContext) => Promise<readonly Measurement[]>;

/** How the run evaluates. */
export interface ProbeContext {
  /** The inputs of the samples of the evaluation, in their order. */
  feeds(): AsyncIterable<Feeds>;
  readonly open: OpenSession;
  readonly session: SessionOptions;
  readonly signal: AbortSignal;
}

/** A probe in one run. */
export interface StartedProbe {
  readonly name: string;
  readonly look: Look;
}

/** The options of a run that probes depend on. */
export interface ProbedRun {
  readonly probes?: readonly Probe[];
  readonly evaluate?: { readonly data: Dataset; readonly batch?: number };
  readonly drive?: Drives;
  readonly open?: OpenSession;
  readonly session?: SessionOptions;
}

export function startProbes({ probes = [] }: ProbedRun): StartedProbe[] {
  return probes.map((probe) => ({ name: probe.name, look: probe.start() }));
}

type MeasurementEvent = Extract<TrainEvent, { type: "measurement" }>;

/** What the probes measure of a model on the samples of the evaluation: an event for each that measures anything. */
export async function measuredBy(
  probes: readonly StartedProbe[],
  model: Model,
  { epoch, update }: Pick<Evaluation, "epoch" | "update">,
  run: ProbedRun,
  signal: AbortSignal,
): Promise<MeasurementEvent[]> {
  const { open = openSession, session = {} } = run;
  const context: ProbeContext = {
    feeds: () => feedsOf(model, run),
    open,
    session: { step: "probing", ...session },
    signal,
  };
  const events: MeasurementEvent[] = [];
  for (const { name, look } of probes) {
    const measurements = await look(model, context);
    if (measurements.length > 0) events.push({ type: "measurement", probe: name, epoch, update, measurements });
  }
  return events;
}

async function* feedsOf(model: Model, { evaluate, drive }: ProbedRun): AsyncGenerator<Feeds> {
  if (!evaluate) return;
  const { data, batch } = evaluate;
  const inputs = undriven(dataInputs(model.graph), drive);
  const source: BatchSource = { data, inputs, size: batch ?? fixedBatch(inputs) ?? 64 };
  const positions = Array.from({ length: data.size }, (_, i) => i);
  const batches = fedBatches(source, inlineLoader(data, batchForm(source)), { positions, seed: 0, epoch: 0 });
  for await (const { feeds } of batches) yield new Map([...feeds, ...evaluationFeeds(drive)]);
}
