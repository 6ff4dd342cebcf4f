/** @file The main job, a search: clean, propose forms, measure each, choose under the bound, verify on unseen samples. */
import { limitedSignal } from "../deadline.ts";
import { CancelledError, UsageError } from "../errors.ts";
import type { Model } from "../ir/index.ts";
import { dependsOnData, openReplicated } from "../measure/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import { convertFloat32 } from "../passes/index.ts";
import {
  checkCancelled,
  cpuSaturates,
  openSession,
  type Run,
  type RunScope,
  type SessionOptions,
  startRun,
} from "../runtime/index.ts";
import { openBudget, SHARES } from "./budget.ts";
import {
  type Candidate,
  type CandidateContext,
  carefulCandidates,
  cleanedCandidate,
  float32Candidate,
  laterCandidates,
  type MeasuredLayer,
  mixedCandidates,
  quickCandidates,
} from "./candidates.ts";
import { type Changes, networkMaker } from "./chain.ts";
import { changedNetwork } from "./changed-network.ts";
import { clean } from "./clean.ts";
import type { AccelerateEvent } from "./events.ts";
import { type Journal, openJournal } from "./journal.ts";
import type { AccelerateOptions } from "./options.ts";
import { reasonOf } from "./reason.ts";
import type { Accelerated, LayerSensitivity } from "./result.ts";
import { divideSamples } from "./samples.ts";
import { keptInFloat, selectResult } from "./selection.ts";
import { layerSensitivity } from "./sensitivity.ts";
import { bestStatic, checkOriginal, type Job, searchForms } from "./trial.ts";

const accelerateOptionsNames: OptionNames<AccelerateOptions> = {
  calibration: true,
  evaluation: true,
  ep: true,
  threads: true,
  maxDrop: true,
  goal: true,
  maxSlowdown: true,
  budgetSeconds: true,
  seed: true,
  weightBits: true,
  otherProviders: true,
  originalBytes: true,
  maxError: true,
  formTable: true,
  changes: true,
  store: true,
  open: true,
  signal: true,
  clock: true,
};

/**
 * Finds the best form of `model` under the bound. It is faster than the original by the whole 95 % interval of the ratio; with the goal
 * size it is smaller, and slower by the whole interval only as far as `maxSlowdown` allows. When nothing is, the result is the
 * original, cleaned, and `candidates` says what each form came to.
 *
 * @throws DataError without evaluation data, UsageError for `maxSlowdown` with another goal than size, CancelledError when the signal was aborted, RuntimeError when the runtime
 * refuses the original.
 */
export function accelerate(model: Model, options: AccelerateOptions): Run<AccelerateEvent, Accelerated> {
  checkOptions(options, accelerateOptionsNames);
  const { signal, goal, maxSlowdown } = options;
  if (maxSlowdown !== undefined && goal !== "size") {
    throw new UsageError("maxSlowdown is for the goal size", {
      got: `the goal ${goal}`,
      hint: "Other results are faster.",
    });
  }
  return startRun<AccelerateEvent, Accelerated>((scope) => work(model, options, scope), signal ? { signal } : {});
}

async function work(
  model: Model,
  options: AccelerateOptions,
  { emit, signal }: RunScope<AccelerateEvent>,
): Promise<Accelerated> {
  const { open = openSession, ep, threads, originalBytes, budgetSeconds, clock } = options;
  const budget = openBudget(budgetSeconds, clock);
  const journal = openJournal(emit, signal);
  const samples = await journal.stage("samples", () =>
    divideSamples(options.calibration, options.evaluation, signal, budget.reading),
  );
  if (!samples.isDivided) {
    journal.warn(
      "W_FEW_SAMPLES",
      "too few evaluation samples to choose on some and verify on others: the final figures are those chosen by",
    );
  }
  const session: SessionOptions = { ep, threads, stock: true };
  const running = { ...session, step: "running the original" };
  await using opened = await openReplicated(open, model, originalBytes, running);
  const original = { ...opened, bytes: originalBytes, dependsOnData: dependsOnData(model) };
  const left = budget.whole.left();
  await checkOriginal({ original, samples });
  const run = (left - budget.whole.left()) / 1000;
  using limited = limitedSignal(signal, budget.choosing);
  return await chooseForm({
    model,
    options,
    open,
    session,
    samples,
    original,
    signal,
    journal,
    tried: [],
    impossible: new Set(),
    budget,
    choosing: limited.signal,
    pace: { run, before: budgetSeconds - left / 1000, batches: samples.batches },
    late: new Set(),
  });
}

async function chooseForm(job: Job): Promise<Accelerated> {
  const found: Found = { cleaned: job.model, layers: [] };
  await searchForms(job, proposed(job, found));
  return await selectResult(job, found.cleaned, marked(job, found.layers));
}

/** What is found on the way, beside the candidates. */
interface Found {
  cleaned: Model;
  layers: readonly MeasuredLayer[];
}

/** All candidates: each is proposed by what came of those before it. */
async function* proposed(job: Job, found: Found): AsyncGenerator<Candidate> {
  const { journal, options } = job;
  const cleaned = await journal.stage("cleanup", () => clean(job));
  if (cleaned) {
    found.cleaned = cleaned;
    yield cleanedCandidate(cleaned);
  }
  const wide = await inFloat32(job, found.cleaned);
  const context = await candidateContext(job, options.ep === "webgpu" ? found.cleaned : wide);
  if (context.model !== found.cleaned) yield float32Candidate(wide);
  yield* quickCandidates(context);
  if (options.changes) yield* changedForms(job, context, options.changes);
  found.layers = yield* carefulForms(job, context);
}

/** Forms that take long to build, where the quick ones of the network say that they may pay. */
async function* carefulForms(job: Job, context: CandidateContext): AsyncGenerator<Candidate, readonly MeasuredLayer[]> {
  const layers = await sensitivity(job, context);
  const paysEverywhere = (bestStatic(job, context.network)?.figures.latencySpread[0] ?? 0) > 1;
  yield* carefulCandidates(context, paysEverywhere);
  yield* mixedPrecision(job, context, layers);
  if (paysEverywhere) yield* laterCandidates(context);
  return layers;
}

/** The networks at the ends of the chains, and the forms of those that hold the bound. */
async function* changedForms(
  job: Job,
  context: CandidateContext,
  { from, chains }: Changes,
): AsyncGenerator<Candidate> {
  const make = networkMaker(from, job.choosing);
  for (const chain of chains) {
    const changed = yield* changedNetwork(job, chain, make);
    if (!changed) continue;
    const own = { ...context, ...changed };
    yield* quickCandidates(own);
    yield* carefulForms(job, own);
  }
}

/** The cleaned model with float16 computed in float32, where that succeeds. */
async function inFloat32({ journal }: Job, cleaned: Model): Promise<Model> {
  try {
    return (await convertFloat32().run(cleaned)).model;
  } catch (error) {
    journal.warn("W_FLOAT32", `the model stays in float16: ${reasonOf(error)}`);
    return cleaned;
  }
}

async function candidateContext(
  { options, open, samples, journal, choosing }: Job,
  model: Model,
): Promise<CandidateContext> {
  const { ep, seed, threads } = options;
  return {
    model,
    weightBits: await weightBits(options, journal),
    ep,
    seed,
    threads,
    open,
    calibration: async function* () {
      for await (const { feeds } of samples.calibration()) yield feeds;
    },
    signal: choosing,
    progress: (stage, done, total, detail) => journal.emit({ type: "progress", stage, done, total, detail }),
  };
}

async function weightBits(
  { weightBits = "auto", ep, otherProviders }: AccelerateOptions,
  journal: Journal,
): Promise<7 | 8> {
  const isHere = ep === "cpu" || otherProviders.includes("cpu");
  const saturates = isHere && weightBits !== 7 && (await cpuSaturates());
  if (weightBits === "auto" && ep === "cpu") return saturates ? 7 : 8;
  if (weightBits === 7) return 7;
  if (saturates) {
    journal.warn(
      "W_SATURATION",
      "weights have 8 bits, and sums of their products saturate on this processor: choose 7 bits for files that are run on it",
    );
  }
  return 8;
}

/** Measured where static int8 is possible and there is time; none when the budget ends on the way, or when it fails. */
async function sensitivity(job: Job, context: CandidateContext): Promise<MeasuredLayer[]> {
  // Training takes most of the time, and forms come after it.
  const last = context.network ? SHARES.lastStart : SHARES.lastStart / 2;
  if (!bestStatic(job, context.network) || job.budget.spent() > last) return [];
  try {
    return await job.journal.stage("sensitivity", () => layerSensitivity(context));
  } catch (error) {
    checkCancelled(job.signal);
    if (!(error instanceof CancelledError)) {
      job.journal.warn("W_SENSITIVITY", `the layers' sensitivity is not known: ${reasonOf(error)}`);
    }
    return [];
  }
}

/** While no static form holds the bound: the best one with more and more of its sensitive layers in float. */
function* mixedPrecision(job: Job, context: CandidateContext, layers: readonly MeasuredLayer[]): Generator<Candidate> {
  const best = bestStatic(job, context.network);
  if (!best) return;
  for (const candidate of mixedCandidates(context, best.candidate, layers)) {
    if (bestStatic(job, context.network)!.figures.drop <= job.options.maxDrop) return;
    yield candidate;
  }
}

function marked(job: Job, layers: readonly MeasuredLayer[]): LayerSensitivity[] {
  const kept = keptInFloat(job);
  return layers.map((layer) => ({ ...layer, keptFloat: kept.has(layer.node) }));
}
