/** @file The facts of a finished acceleration, put together for the report. */
import type { Accelerated } from "../../accelerate/index.ts";
import type { Model } from "../../ir/index.ts";
import {
  type AgreementBlock,
  type CandidateFacts,
  type ComparisonBlock,
  formatChange,
  formatNumber,
  formatPercent,
  formatSpeed,
  formatSpread,
  type JobReport,
} from "../../report/index.ts";
import type { LoadedData } from "../data/loaded-data.ts";
import { modelFacts, storedSizes } from "../model/model-facts.ts";
import { environment } from "../run/environment.ts";
import { timestamp } from "../run/timestamp.ts";

export interface JobFacts {
  readonly title: string;
  readonly command: string;
  readonly seed: number;
  readonly name: string;
  readonly original: Model;
  readonly originalFile: { readonly sha256: string; readonly bytes: number };
  readonly chosenFile: { readonly name: string; readonly sha256: string; readonly bytes: number };
  readonly data: LoadedData;
  readonly bound: { readonly maxDrop: number; readonly goal: string; readonly budgetSeconds: number };
  readonly result: Accelerated;
}

export async function jobReport(facts: JobFacts): Promise<JobReport> {
  const { title, command, seed, name, original, originalFile, chosenFile, data, bound, result } = facts;
  const assumptions = data.assumptions.map((message) => ({ code: "assumed", message }));
  return {
    schema: 1,
    title,
    command,
    created: timestamp(),
    seed,
    environment: await environment(),
    model: modelFacts(name, original, originalFile),
    data: { source: data.source, calibration: data.calibrationSize, ...result.samples, labels: data.hasLabels },
    bound: { ...bound, measure: result.measure },
    verdict: { faster: result.faster, sentence: verdict(result) },
    chosen: {
      ...blocks(result.comparison),
      form: result.form,
      file: chosenFile.name,
      model: modelFacts(chosenFile.name, result.model, chosenFile),
    },
    candidates: result.candidates.map(candidateFacts),
    sizes: { before: storedSizes(original), after: storedSizes(result.model) },
    sensitivity: result.sensitivity,
    providers: result.providers,
    stages: result.stages,
    warnings: [...result.warnings, ...assumptions],
  };
}

function verdict({ faster, form, comparison, measure, samples, enoughSeconds }: Accelerated): string {
  const { latency, size, accuracy, agreement } = comparison;
  const unchanged = `the result is the original${form === "cleaned" ? ", cleaned" : ""}`;
  if (!faster && enoughSeconds !== undefined)
    return `No form was measured before the time budget ended, so ${unchanged}. --budget ${enoughSeconds}s would do, by estimate.`;
  if (!faster)
    return `No form beats the original within the bound, so ${unchanged}. The table says what each form came to.`;
  const quality = accuracy
    ? `accuracy ${formatPercent(accuracy.a)} → ${formatPercent(accuracy.b)}`
    : agreement.top1 === undefined
      ? `cosine ${agreement.cosine.toFixed(5)}`
      : `${formatPercent(agreement.top1)} of the answers stay the same, relative error ${formatNumber(agreement.relative)}`;
  const where = samples.disjoint ? "samples that played no part in the choice" : "the samples that it was chosen by";
  const gain = `${formatSpeed(latency)} (${formatSpread(latency)}), ${formatChange(size.ratio, "smaller", "larger")}`;
  const used = comparison.n < samples.of.verification ? `${comparison.n} of ${samples.of.verification}` : comparison.n;
  return `${form}: ${gain}; ${quality}. Measured as ${measure} on ${used} ${where}.`;
}

/** What a report keeps of an agreement. */
export function agreementFacts(
  { maxAbs, relative, cosine, top1, lost, build }: Accelerated["comparison"]["agreement"],
  n: number,
): AgreementBlock {
  return { n, maxAbs, relative, cosine, lost, build, ...(top1 !== undefined && { top1 }) };
}

function blocks({ size, latency, agreement, accuracy, n }: Accelerated["comparison"]): ComparisonBlock {
  const drop = accuracy && {
    a: accuracy.a,
    b: accuracy.b,
    n: accuracy.n,
    interval: [-accuracy.interval[1], -accuracy.interval[0]] as const,
  };
  return { size, latency, agreement: agreementFacts(agreement, n), ...(drop && { accuracy: drop }) };
}

function candidateFacts({ comparison, ...candidate }: Accelerated["candidates"][number]): CandidateFacts {
  return comparison ? { ...candidate, ...blocks(comparison) } : candidate;
}
