/** @file The first step: the model without what it does not need, checked before anything is built on it. */
import { CancelledError } from "../errors.ts";
import type { Model } from "../ir/index.ts";
import { checkCancelled } from "../runtime/index.ts";
import { reasonOf } from "./reason.ts";
import { cleanupChecked } from "./run-checked.ts";
import { checkOriginal, type Job, tryCandidate } from "./trial.ts";

/** The cleaned model, without the passes that fail or change its answers; where that leaves nothing, the original. */
export async function clean(job: Job): Promise<Model> {
  try {
    return await cleanAndTry(job);
  } catch (error) {
    checkCancelled(job.signal);
    await checkOriginal(job);
    const reason = error instanceof CancelledError ? "the time budget ran out" : reasonOf(error);
    job.journal.warn("W_CLEANUP", `the model was not cleaned: ${reason}`);
    return job.model;
  }
}

async function cleanAndTry(job: Job): Promise<Model> {
  const { model, journal, open, session, samples, original, choosing } = job;
  const batches = samples.selection;
  const checking = { open, session, batches, original: original.session, signal: choosing };
  const { model: cleaned, leftOut } = await cleanupChecked(model, checking);
  const nodes = `${model.graph.nodes.length} → ${cleaned.graph.nodes.length} nodes`;
  journal.emit({ type: "stage", name: "cleanup", detail: nodes });
  for (const { pass, reason } of leftOut) {
    journal.warn("W_CLEANUP", `cleaning leaves out the pass ${JSON.stringify(pass)}: ${reason}`);
  }
  await tryCandidate(job, { form: "cleaned", family: "cleaned", rounds: true, build: async () => cleaned });
  return cleaned;
}
