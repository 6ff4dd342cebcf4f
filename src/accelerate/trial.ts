/** @file The search for a form: each candidate is built, measured against the original, judged and remembered before the next is proposed. */
import { isPast } from "../deadline.ts";
import { CancelledError, UnsupportedError } from "../errors.ts";
import type { Model } from "../ir/index.ts";
import { LARGEST_ERROR } from "../measure/index.ts";
import { encodeModel } from "../onnx/index.ts";
import { modelAdvice } from "../quantize/index.ts";
import { checkCancelled, type OpenSession, type SessionOptions } from "../runtime/index.ts";
import { proposals, search, type Trial } from "../search/index.ts";
import { type Budget, isTooLate, measuringEnd, type Pace, SHARES, timingSeconds, warmupOf } from "./budget.ts";
import type { Candidate } from "./candidates.ts";
import type { Network } from "./chain.ts";
import { decide, type Figures, percent, worth } from "./choose.ts";
import type { Journal } from "./journal.ts";
import { figuresOf, type Judging, type MeasureOptions, measureModel, type Reference } from "./measure.ts";
import type { AccelerateOptions, FinishedForm } from "./options.ts";
import { reasonOf } from "./reason.ts";
import type { MeasuredComparison } from "./result.ts";
import type { Samples } from "./samples.ts";

/** All that the steps of one acceleration share. */
export interface Job {
  readonly model: Model;
  readonly options: AccelerateOptions;
  readonly open: OpenSession;
  readonly session: SessionOptions;
  readonly samples: Samples;
  readonly original: Reference;
  readonly signal: AbortSignal;
  readonly journal: Journal;
  readonly tried: Tried[];
  /** Families that the model does not allow. */
  readonly impossible: Set<string>;
  readonly budget: Budget;
  /** Aborted with `signal`, and when choosing has to end. */
  readonly choosing: AbortSignal;
  readonly pace: Pace;
  /** Forms for which there was no time. */
  readonly late: Set<string>;
}

export interface Tried {
  readonly candidate: Candidate;
  readonly comparison: MeasuredComparison;
  readonly figures: Figures;
  /** Only of accepted candidates, since no other is handed out. */
  readonly bytes?: Uint8Array;
}

/** Rounds of latency while choosing and for the final figure. */
const ROUNDS = { choosing: 30, verifying: 80 };

/**
 * The search: candidates are proposed by what came of those before, and tried unless they are finished, or known to be impossible, to lose,
 * or to be too late. The journal says what each came to.
 */
export async function searchForms(job: Job, candidates: Iterable<Candidate> | AsyncIterable<Candidate>): Promise<void> {
  const { store } = job.options;
  await search<Candidate, FinishedForm>({
    space: { key: ({ form }) => form, isAllowed: ({ family }) => !job.impossible.has(family) },
    strategy: proposals((trials) => settled(job, candidates, trials)),
    evaluate: (candidate) => finished(job, candidate),
    score: ({ comparison }, candidate) =>
      worth(figuresOf(candidate.form, comparison, judging(job, candidate)), job.options),
    ...(store && { store }),
    signal: job.signal,
  }).result;
}

/** What came of each candidate is settled before the next one is proposed. */
async function* settled(
  job: Job,
  candidates: Iterable<Candidate> | AsyncIterable<Candidate>,
  trials: readonly Trial<Candidate, FinishedForm>[],
): AsyncGenerator<Candidate> {
  for await (const candidate of candidates) {
    const began = performance.now();
    yield candidate;
    const last = trials.at(-1);
    if (last?.candidate === candidate) settle(job, last, began);
  }
}

function settle(job: Job, { candidate, value }: Trial<Candidate, FinishedForm>, began: number): void {
  const { journal, tried, options } = job;
  const { form } = candidate;
  const { comparison, bytes } = value;
  // Runs that earlier versions kept have none.
  journal.doubt(comparison.warnings ?? []);
  const figures = figuresOf(form, comparison, judging(job, candidate));
  const { accepted, reason } = decide(figures, options);
  tried.push({ candidate, comparison, figures, ...(accepted && { bytes }) });
  journal.settle({ form, accepted, reason, onFront: false, comparison });
  noteTime(job, form, began);
}

function noteTime({ journal }: Job, form: string, began: number): void {
  const notes = [journal.results.get(form)?.reason ?? ""];
  journal.note({ name: form, milliseconds: performance.now() - began, notes });
}

/** The candidate, built and measured; `undefined` where that is not worth it, or fails. */
async function finished(job: Job, candidate: Candidate): Promise<FinishedForm | undefined> {
  const { journal } = job;
  const { form } = candidate;
  const obstacle = losing(job, candidate) ?? tooLate(job, candidate);
  if (obstacle !== undefined) {
    journal.refuse(form, obstacle);
    return undefined;
  }
  journal.emit({ type: "stage", name: form, detail: "building" });
  const began = performance.now();
  try {
    return await measured(job, candidate);
  } catch (error) {
    await failed(job, candidate, error);
    noteTime(job, form, began);
    return undefined;
  }
}

/** Whatever a candidate fails with is its own row. What the original fails with ends the job, since nothing could be compared. */
async function failed(job: Job, { form, family }: Candidate, error: unknown): Promise<void> {
  const { signal, journal, impossible, late } = job;
  checkCancelled(signal);
  await checkOriginal(job);
  const isImpossible = error instanceof UnsupportedError;
  if (isImpossible) impossible.add(family);
  const isLate = error instanceof CancelledError;
  if (isLate) late.add(form);
  const reason = isLate ? "not finished: the time budget ran out" : reasonOf(error);
  journal.refuse(isImpossible ? family : form, reason);
}

/** @throws what the original fails with on the inputs that are timed, its session being gone included. */
export async function checkOriginal({ original, samples }: Pick<Job, "original" | "samples">): Promise<void> {
  await original.session.run(samples.timed);
}

/** Why a form is not worth an attempt on this machine, by the measured table. */
function losing({ options, model }: Job, { quantizer, stored }: Candidate): string | undefined {
  const { formTable, goal } = options;
  if (!formTable || !quantizer || goal === "size") return undefined;
  const { verdict, reason } = modelAdvice(model, formTable, quantizer, stored);
  return verdict === "loses"
    ? `passed over: slower than float32 on this machine by the form table (${reason})`
    : undefined;
}

function tooLate({ budget, late }: Job, { form }: Candidate): string | undefined {
  if (!isTooLate(budget)) return undefined;
  late.add(form);
  return `not tried: ${percent(SHARES.lastStart, 0)} of the time budget was spent`;
}

async function measured(job: Job, { form, build }: Candidate): Promise<FinishedForm> {
  const { open, original, session, samples, journal } = job;
  const model = await build();
  const bytes = encodeModel(model);
  if (isPast(job.budget.choosing)) throw new CancelledError("the time budget ran out");
  journal.emit({ type: "stage", name: form, detail: "measuring" });
  const contender = { model, bytes: bytes.byteLength };
  const how = measuring(job, "choosing");
  const comparison = await measureModel(open, original, contender, session, samples, samples.selection, how);
  return { comparison, bytes };
}

export function judging(
  { model, options }: Job,
  { rounds = false, network }: Pick<Candidate, "rounds" | "network">,
): Judging {
  const maxError = network?.isTrained ? Number.POSITIVE_INFINITY : (options.maxError ?? LARGEST_ERROR);
  return { original: model, rounds, maxError };
}

/** How a candidate is timed in a phase of the job. */
export function measuring({ options, signal, budget, pace }: Job, phase: keyof typeof ROUNDS): MeasureOptions {
  const { threads, seed } = options;
  return {
    ...{ threads, seed, signal, rounds: ROUNDS[phase] },
    warmup: warmupOf(pace),
    seconds: timingSeconds(budget, pace),
    deadline: measuringEnd(budget, pace, phase),
  };
}

/** The static form of a network, or of the original, that loses least; of those that are faster than the original, if any is. */
export function bestStatic({ tried }: Job, network?: Network): Tried | undefined {
  const statics = tried.filter(({ candidate }) => candidate.static !== undefined && candidate.network === network);
  const faster = statics.filter(({ figures }) => figures.latencySpread[0] > 1);
  const eligible = faster.length > 0 ? faster : statics;
  return [...eligible].sort((a, b) => a.figures.drop - b.figures.drop)[0];
}
