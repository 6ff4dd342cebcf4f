/** @file The first step: the model without what it does not need, checked before anything is built on it. */
import { CancelledError } from "../errors.ts";
import type { Model } from "../ir/index.ts";
import { checkCancelled, type Session } from "../runtime/index.ts";
import { reasonOf } from "./reason.ts";
import { cleanupChecked } from "./run-checked.ts";
import { checkOriginal, type Job } from "./trial.ts";

/** The cleaned model, without the passes that fail or change its answers; `undefined` where it could not be cleaned. */
export async function clean(job: Job): Promise<Model | undefined> {
  try {
    return await cleaned(job);
  } catch (error) {
    checkCancelled(job.signal);
    await checkOriginal(job);
    const reason = error instanceof CancelledError ? "the time budget ran out" : reasonOf(error);
    job.journal.warn("W_CLEANUP", `the model was not cleaned: ${reason}`);
    return undefined;
  }
}

async function cleaned(job: Job): Promise<Model> {
  const { model, journal, original } = job;
  const before = model.graph.nodes.length;
  const found = await cleanedNetwork(job, model, "cleaning", original.session);
  const nodes = `${before} → ${found.graph.nodes.length} nodes`;
  journal.emit({ type: "stage", name: "cleanup", detail: nodes });
  return found;
}

/** A network without the passes that change its answers; `doing` says in warnings what was being done. */
export async function cleanedNetwork(
  { open, session, samples, journal, choosing }: Job,
  model: Model,
  doing: string,
  original?: Session,
): Promise<Model> {
  const checking = { open, session, batches: samples.selection, signal: choosing };
  const { model: found, leftOut } = await cleanupChecked(model, { ...checking, ...(original && { original }) });
  for (const { pass, reason } of leftOut) {
    journal.warn("W_CLEANUP", `${doing} leaves out the pass ${JSON.stringify(pass)}: ${reason}`);
  }
  return found;
}
