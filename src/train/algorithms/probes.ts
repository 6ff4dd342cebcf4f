/** @file What a run looks at beside its metrics: probes, which measure the model at evaluations. */
import { inlineLoader } from "../../data/index.ts";
import type { Model } from "../../ir/index.ts";
import { type Feeds, type OpenSession, openSession, type SessionOptions } from "../../runtime/index.ts";
import { type BatchSource, batchForm, dataInputs, fedBatches, fixedBatch } from "../feeds/batch-feeds.ts";
import { evaluationFeeds, undriven } from "../feeds/drive.ts";
import type { Measurement } from "../loop/events.ts";
import { trainedTensors, withParameters } from "../loop/trained-model.ts";
import type { Algorithm, RunSettings, TrainingRun } from "./algorithm.ts";

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

/** Shows probes the model of every evaluation, and tells what they measure. */
export function probes(given: readonly Probe[]): Algorithm {
  return {
    name: "probes",
    needs: ["evaluate"],
    start() {
      const started = given.map((probe) => ({ name: probe.name, look: probe.start() }));
      return {
        async onStart(run) {
          if (!isAtEvaluation(run)) return;
          const state = await run.read();
          const model = withParameters(run.model, trainedTensors(run.step, state));
          const context = contextOf(model, run.settings, run.signal);
          for (const { look } of started) await look(model, context);
        },
        async onEvaluation({ model }, run) {
          const context = contextOf(model, run.settings, run.signal);
          for (const { name, look } of started) run.measured(name, await look(model, context));
        },
      };
    },
  };
}

/** Whether the parameters are those of the last evaluation: a resumed run shows it to its probes again, since they may remember it. */
function isAtEvaluation({ evaluations, steps, stepsPerEpoch }: TrainingRun): boolean {
  const last = evaluations.at(-1);
  return last !== undefined && last.epoch * stepsPerEpoch === steps;
}

/** How probes look at a model in a run. */
export function contextOf(model: Model, settings: RunSettings, signal: AbortSignal): ProbeContext {
  const { open = openSession, session = {} } = settings;
  return { feeds: () => feedsOf(model, settings), open, session: { step: "probing", ...session }, signal };
}

async function* feedsOf(model: Model, { evaluate, drive }: RunSettings): AsyncGenerator<Feeds> {
  if (!evaluate) return;
  const { data, batch } = evaluate;
  const inputs = undriven(dataInputs(model.graph), drive);
  const source: BatchSource = { data, inputs, size: batch ?? fixedBatch(inputs) ?? 64 };
  const positions = Array.from({ length: data.size }, (_, i) => i);
  const batches = fedBatches(source, inlineLoader(data, batchForm(source)), { positions, seed: 0, epoch: 0 });
  for await (const { feeds } of batches) yield new Map([...feeds, ...evaluationFeeds(drive)]);
}
