/** @file The first step: the model without what it does not need, checked before anything is built on it. */
import type { Model } from "../ir/index.ts";
import { cleanup } from "../passes/index.ts";
import { checkCancelled } from "../runtime/index.ts";
import { percent } from "./choose.ts";
import { evaluateWith } from "./evaluate.ts";
import { dropOf } from "./measure.ts";
import { reasonOf } from "./reason.ts";
import { checkOriginal, type Job, tryCandidate } from "./trial.ts";

/** What cleaning may change by rounding. */
const TOLERANCE = 1e-3;

/** The cleaned model, or the original where cleaning fails or changes its answers. */
export async function clean(job: Job): Promise<Model> {
  try {
    return await cleanAndTry(job);
  } catch (error) {
    checkCancelled(job.signal);
    await checkOriginal(job);
    job.journal.warn("W_CLEANUP", `the model was not cleaned: ${reasonOf(error)}`);
    return job.model;
  }
}

async function cleanAndTry(job: Job): Promise<Model> {
  const { model, journal, tried, options } = job;
  const { model: cleaned, notes = [] } = await cleanup({ evaluate: evaluateWith(job.open) }).run(model);
  const nodes = `${model.graph.nodes.length} → ${cleaned.graph.nodes.length} nodes`;
  journal.emit({ type: "stage", name: "cleanup", detail: nodes });
  await tryCandidate(job, { form: "cleaned", family: "cleaned", build: async () => cleaned });
  const position = tried.findIndex(({ candidate }) => candidate.form === "cleaned");
  const entry = tried[position];
  const drop = entry === undefined ? Number.POSITIVE_INFINITY : dropOf(entry.comparison);
  if (drop <= Math.min(TOLERANCE, options.maxDrop)) return cleaned;
  if (entry) {
    tried.splice(position, 1);
    journal.refuse("cleaned", `cleaning changes answers: loses ${percent(drop)}`, entry.comparison);
  }
  const rewrites = notes.filter(({ kind }) => kind === "applied").length;
  const reason = journal.results.get("cleaned")?.reason ?? "it was not measured";
  journal.warn("W_CLEANUP", `the cleaned model is not used: ${reason} (${rewrites} rewrites)`);
  return model;
}
