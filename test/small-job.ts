/** @file A job of an acceleration on a small network and the reference evaluator: nothing is timed, nothing is written. */
import { openBudget } from "../src/accelerate/budget.ts";
import type { AccelerateEvent } from "../src/accelerate/events.ts";
import { openJournal } from "../src/accelerate/journal.ts";
import type { AccelerateOptions } from "../src/accelerate/options.ts";
import { divideSamples } from "../src/accelerate/samples.ts";
import type { Job } from "../src/accelerate/trial.ts";
import type { Model } from "../src/ir/index.ts";
import type { Batch } from "../src/measure/index.ts";
import { encodeModel } from "../src/onnx/index.ts";
import { inferShapes } from "../src/ops/index.ts";
import type { OpenSession } from "../src/runtime/index.ts";
import { openReference } from "../src/runtime/reference.ts";
import { denseFeeds, denseModel } from "./models.ts";

/** As many batches of two samples as are asked for. */
export function denseBatches(count: number): () => AsyncGenerator<Batch> {
  return async function* () {
    for (let i = 0; i < count; i++) yield { feeds: denseFeeds(2, i) };
  };
}

/** Sessions of the reference evaluator that take this time, by the model. */
export function openTaking(millis: (model: Model) => number): OpenSession {
  return async (model, options) => ({
    ...(await openReference(inferShapes(model), options)),
    time: async (_, rounds) => ({ times: new Array<number>(rounds).fill(millis(model)), firstRun: millis(model) }),
  });
}

export interface SmallJob {
  readonly job: Job;
  readonly events: AccelerateEvent[];
}

/** 600 seconds of which none goes by, and 12 batches to choose on and to verify on; every model takes a millisecond. */
export async function smallJob(options: Partial<AccelerateOptions> = {}, others: Partial<Job> = {}): Promise<SmallJob> {
  const { signal } = new AbortController();
  const events: AccelerateEvent[] = [];
  const model = others.model ?? denseModel();
  const { open = openTaking(() => 1) } = others;
  const data = denseBatches(24);
  const bytes = encodeModel(model).byteLength;
  const job: Job = {
    model,
    options: {
      ...{ calibration: data, evaluation: data, ep: "cpu", threads: 1, maxDrop: 0.05, goal: "latency" },
      ...{ budgetSeconds: 600, seed: 1, otherProviders: [], originalBytes: bytes },
      ...options,
    },
    open,
    session: {},
    samples: await divideSamples(data, data, signal),
    original: { session: await open(model), bytes, dependsOnData: false },
    signal,
    journal: openJournal((event) => void events.push(event), signal),
    tried: [],
    impossible: new Set(),
    budget: openBudget(600, () => 0),
    choosing: signal,
    pace: { run: 0.001, before: 0, batches: 12 },
    late: new Set(),
    ...others,
  };
  return { job, events };
}
