/** @file The best candidate that also holds on samples that did not choose it, and on the other providers. */
import { isPast } from "../deadline.ts";
import type { Model } from "../ir/index.ts";
import { encodeModel, loadModelBytes } from "../onnx/index.ts";
import { checkCancelled } from "../runtime/index.ts";
import { decide, paretoFront, ranked } from "./choose.ts";
import { figuresOf, isWorse, measureModel, measureName } from "./measure.ts";
import { agreementElsewhere, agreesElsewhere } from "./providers.ts";
import { reasonOf } from "./reason.ts";
import type { Accelerated, LayerSensitivity, MeasuredComparison, ProviderResult } from "./result.ts";
import { shortageOf, warnOfShortage } from "./shortage.ts";
import { checkOriginal, type Job, judging, measuring, type Tried } from "./trial.ts";

/** Verifies accepted candidates, best first, and returns the first that holds; else the original, cleaned if that holds. */
export async function selectResult(
  job: Job,
  cleaned: Model,
  sensitivity: readonly LayerSensitivity[],
): Promise<Accelerated> {
  for (const tried of inOrder(job)) {
    const { form } = tried.candidate;
    if (isPast(job.budget.whole)) {
      job.late.add(form);
      refute(job, tried, "not verified: the time budget ran out");
      continue;
    }
    try {
      const model = loadModelBytes(tried.bytes);
      const comparison = await verify(job, form, model, tried.bytes);
      const figures = figuresOf(form, comparison, judging(job, tried.candidate));
      const decision = decide(figures, job.options);
      if (!decision.accepted) {
        refute(job, tried, `on the samples kept for verification: ${decision.reason}`);
        continue;
      }
      const providers = await checkElsewhere(job, model);
      const differing = providers.find((provider) => !agreesElsewhere(provider));
      if (differing) {
        refute(job, tried, `answers differ on ${differing.ep}: ${differing.reason}`);
        continue;
      }
      const { network } = tried.candidate;
      const found = {
        model,
        bytes: tried.bytes,
        form,
        ...(network && { steps: network.steps }),
        faster: true,
        comparison,
      };
      return result(job, { ...found, providers, sensitivity });
    } catch (error) {
      checkCancelled(job.signal);
      await checkOriginal(job);
      refute(job, tried, `it could not be verified: ${reasonOf(error)}`);
    }
  }
  return fallback(job, cleaned, sensitivity);
}

/** Takes back what the selection samples promised; such figures are no part of the front. */
function refute({ journal, tried }: Job, entry: Tried, reason: string): void {
  tried.splice(tried.indexOf(entry), 1);
  journal.refuse(entry.candidate.form, reason, entry.comparison);
}

type Accepted = Tried & Required<Pick<Tried, "bytes">>;

function inOrder({ tried, options }: Job): Accepted[] {
  const order = ranked(
    tried.map(({ figures }) => figures),
    options,
  );
  const accepted = tried.filter((entry): entry is Accepted => entry.bytes !== undefined);
  return order.flatMap((figures) => accepted.filter((entry) => entry.figures === figures));
}

/** The nodes of the original that the best candidate keeps in float. */
export function keptInFloat(job: Job): ReadonlySet<string> {
  const best = inOrder(job)[0]?.candidate;
  return new Set((!best?.network && best?.static?.exclude) || []);
}

async function verify(job: Job, form: string, model: Model, bytes: Uint8Array): Promise<MeasuredComparison> {
  const { journal, open, original, session, samples } = job;
  const contender = { model, bytes: bytes.byteLength };
  return await journal.stage(`verify ${form}`, () =>
    measureModel(open, original, contender, session, samples, samples.verification, measuring(job, "verifying")),
  );
}

async function checkElsewhere(
  { journal, open, samples, options, budget }: Job,
  model: Model,
): Promise<ProviderResult[]> {
  const { ep, threads, otherProviders } = options;
  return journal.stage("providers", () =>
    agreementElsewhere(open, model, samples, { ep, threads, otherProviders, deadline: budget.whole }),
  );
}

/**
 * The cleaned original, or the original itself where cleaning made it slower, larger for nothing, or changed its answers here or on
 * another provider. The original is what it is: where providers differ on it, that is said.
 */
async function fallback(job: Job, cleaned: Model, sensitivity: readonly LayerSensitivity[]): Promise<Accelerated> {
  const found = cleaned === job.model ? undefined : await cleanedResult(job, cleaned, sensitivity);
  if (found) return found;
  const { model } = job;
  const bytes = encodeModel(model);
  const comparison = await verify(job, "original", model, bytes);
  const providers = isPast(job.budget.whole) ? [] : await checkElsewhere(job, model);
  for (const { ep, status, reason } of providers.filter((provider) => !agreesElsewhere(provider))) {
    job.journal.warn(
      "W_PROVIDER",
      `the original itself ${status === "failed" ? "fails" : "answers otherwise"} on ${ep}: ${reason}`,
    );
  }
  return result(job, { model, bytes, form: "original", faster: false, comparison, providers, sensitivity });
}

async function cleanedResult(
  job: Job,
  model: Model,
  sensitivity: readonly LayerSensitivity[],
): Promise<Accelerated | undefined> {
  const form = "cleaned";
  const bytes = encodeModel(model);
  try {
    const comparison = await verify(job, form, model, bytes);
    const { faults = [], drop } = figuresOf(form, comparison, judging(job, { rounds: true }));
    if (faults.length > 0) job.journal.refuse(form, `computes something else: ${faults.join("; ")}`, comparison);
    if (faults.length > 0 || isWorse(comparison) || !(drop <= job.options.maxDrop)) return undefined;
    const providers = await checkElsewhere(job, model);
    const differing = providers.find((provider) => !agreesElsewhere(provider));
    if (!differing) return result(job, { model, bytes, form, faster: false, comparison, providers, sensitivity });
    job.journal.refuse(form, `answers differ on ${differing.ep}: ${differing.reason}`, comparison);
  } catch (error) {
    checkCancelled(job.signal);
    await checkOriginal(job);
    job.journal.refuse(form, reasonOf(error));
  }
  return undefined;
}

type Found = Pick<
  Accelerated,
  "model" | "bytes" | "form" | "steps" | "faster" | "comparison" | "providers" | "sensitivity"
>;

function result(job: Job, found: Found): Accelerated {
  const { journal, tried, samples } = job;
  const front = new Set(paretoFront(tried.map(({ figures }) => figures)).map(({ form }) => form));
  const candidates = [...journal.results.values()].map((entry) => ({ ...entry, onFront: front.has(entry.form) }));
  const counted = candidates.find(({ comparison }) => comparison)?.comparison;
  journal.doubt(found.comparison.warnings);
  const enough = shortageOf(job);
  warnOfShortage(job, found.comparison.n);
  return {
    ...found,
    ...(enough !== undefined && { enoughSeconds: enough }),
    candidates,
    measure: measureName(found.comparison),
    stages: journal.stages,
    warnings: journal.warnings,
    samples: {
      selection: counted?.n ?? found.comparison.n,
      verification: found.comparison.n,
      disjoint: samples.isDivided,
      of: samples.sizes,
    },
  };
}
