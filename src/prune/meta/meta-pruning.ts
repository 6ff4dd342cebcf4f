/** @file MetaPruning: a supernet of all widths is trained, evolution finds widths by it, and the network of these widths is trained anew. */
import { must, nth } from "../../checked.ts";
import { type Dataset, inMemory, type Split, shuffleSamples, split, subset } from "../../data/index.ts";
import { UsageError } from "../../errors.ts";
import { labelOf, type Model, minOf } from "../../ir/index.ts";
import { compareLatency } from "../../measure/index.ts";
import { costOf } from "../../ops/index.ts";
import { checkOptions, type OptionNames, pickOptions } from "../../options.ts";
import { type Feeds, type MissedEvents, openSession, type Run, type RunScope, startRun } from "../../runtime/index.ts";
import {
  type EvolutionOptions,
  evolution,
  type SearchStore,
  type Space,
  search,
  type Trial,
} from "../../search/index.ts";
import {
  adamw,
  evaluateModel,
  type FitOptions,
  fit,
  recalibrated,
  type TrainEvent,
  type TrainReport,
  type TrainResult,
} from "../../train/index.ts";
import { costChange } from "../cost-change.ts";
import type { PrunedWidth, PruneReport } from "../prunable.ts";
import type { Width } from "../widths.ts";
import { untrained } from "./initial-weights.ts";
import { type Choice, uniformChoices } from "./supernet.ts";
import { type CountedChoices, countedChoices } from "./width-space.ts";
import { type WidthSupernet, type WidthSupernetOptions, widthSupernet, widthSupernetNames } from "./width-supernet.ts";

/** Of one of the two trainings; what is absent is AdamW without decay at 3e-3, a cosine after a warm-up, norm at most 1. */
export interface MetaTraining
  extends Partial<
    Omit<FitOptions, "data" | "drive" | "checkpoint" | "resume" | "signal" | "epochs" | "loss" | "open" | "session">
  > {
  readonly epochs: number;
}

export interface MetaPruningOptions
  extends WidthSupernetOptions,
    Pick<FitOptions, "loss" | "open" | "session" | "signal"> {
  /** Samples with labels. Both trainings and the choice of widths are made on them alone. */
  readonly data: Dataset;
  /** The share of multiply-accumulates that is left at most. */
  readonly macs?: number;
  /** In its place: the share of the original's time on these feeds that is left at most. Every candidate is timed before it is evaluated. */
  readonly latency?: { readonly share: number; readonly feeds: Feeds };
  /** Of the supernet, on the data without what is held out to choose by. */
  readonly supernet: MetaTraining;
  /** Of the network that was found, on all data. */
  readonly network: MetaTraining;
  /** What the network begins with: new weights (`"scratch"`, default), or those that the supernet has for it. */
  readonly start?: "scratch" | "generated";
  /** Samples that are held out to choose widths by; a tenth of the data by default, 2,000 at most. */
  readonly held?: number;
  /** Samples of the training by which the norms of a candidate are measured before it is evaluated; 1,024 in batches of 128 by default. */
  readonly recalibration?: { readonly samples?: number; readonly batch?: number };
  /** 50 candidates, then 19 generations of 25 mutations and 25 crossovers of the 10 best, by default. */
  readonly evolution?: EvolutionOptions;
  /** A folder for what an interrupted run has done. Node only. */
  readonly checkpoint?: { readonly folder: string };
  /** Goes on from the folder where an earlier run of the same options ended. */
  readonly resume?: boolean;
}

/** A candidate that was evaluated with the weights of the supernet. */
export interface MetaTrial {
  /** Positions that each width keeps, in the order of the report's widths. */
  readonly widths: readonly number[];
  readonly macs: number;
  /** The share of the original's time, where that is limited. */
  readonly latency?: number;
  /** Absent where the candidate is too slow to be evaluated. */
  readonly accuracy?: number;
}

export type MetaPruningEvent =
  | MissedEvents
  | { readonly type: "training"; readonly of: "supernet" | "network"; readonly event: TrainEvent }
  | { readonly type: "trial"; readonly trial: MetaTrial; readonly done: number; readonly most: number };

export interface MetaPruned {
  readonly model: Model;
  readonly report: PruneReport;
  /** In the order of their evaluation. */
  readonly trials: readonly MetaTrial[];
  readonly supernet: TrainReport;
  readonly training: TrainReport;
}

const metaPruningNames: OptionNames<MetaPruningOptions> = {
  ...widthSupernetNames,
  loss: true,
  open: true,
  session: true,
  signal: true,
  data: true,
  macs: true,
  latency: true,
  supernet: true,
  network: true,
  start: true,
  held: true,
  recalibration: true,
  evolution: true,
  checkpoint: true,
  resume: true,
};

const recalibrationNames: OptionNames<NonNullable<MetaPruningOptions["recalibration"]>> = {
  samples: true,
  batch: true,
};

/**
 * Liu et al. (2019), arXiv:1903.10258: (1) a supernet whose weights are generated from widths is trained, other widths in each batch; (2) evolution
 * among the widths that keep to the limit of multiply-accumulates, each candidate with generated weights and statistics that are measured anew, by its accuracy on
 * samples held out of the data; (3) the best is trained from scratch. The weights of the model itself are not used.
 *
 * @throws UsageError at once for options that do not fit and a limit that cannot be reached; through `result` what `fit` throws
 */
export function metaPruning(model: Model, options: MetaPruningOptions): Run<MetaPruningEvent, MetaPruned> {
  checkOptions(options, metaPruningNames);
  checkRanges(options);
  const supernet = widthSupernet(model, pickOptions<WidthSupernetOptions>(options, widthSupernetNames));
  const counted = countedChoices(supernet);
  const space = counted.within(options.macs ?? 1);
  return startRun(
    (scope) => pruned({ model, options, supernet, counted, space, scope }),
    options.signal ? { signal: options.signal } : {},
  );
}

function checkRanges(options: MetaPruningOptions): void {
  const { macs, latency, held = 1, checkpoint, resume = false } = options;
  checkOptions(options.recalibration ?? {}, recalibrationNames);
  if ((macs === undefined) === (latency === undefined))
    throw new UsageError("one of macs and latency says how much is left", {
      got: macs === undefined ? "none" : "both",
    });
  const share = macs ?? latency?.share ?? 0;
  if (!(share > 0 && share < 1))
    throw new UsageError("a share of the original is out of range", {
      expected: "above 0 and below 1",
      got: String(share),
    });
  if (!(Number.isSafeInteger(held) && held >= 1))
    throw new UsageError("held is no count", { expected: "a whole number of at least 1", got: String(held) });
  if (resume && !checkpoint) throw new UsageError("resume needs checkpoint");
}

interface Job {
  readonly model: Model;
  readonly options: MetaPruningOptions;
  readonly supernet: WidthSupernet;
  readonly counted: CountedChoices;
  readonly space: Space<Choice>;
  readonly scope: RunScope<MetaPruningEvent>;
}

async function pruned(job: Job): Promise<MetaPruned> {
  const { model, options, supernet } = job;
  const { data, seed = 0, held = Math.min(2000, Math.ceil(data.size / 10)), start = "scratch" } = options;
  const parts = await split(data, { calibration: data.size - held, evaluation: held, seed });
  const drive = uniformChoices(supernet);
  const meta = await trained(job, "supernet", supernet.model, { data: parts.calibration, drive });
  const networks = supernet.networks(meta.model);
  const evaluate = await evaluationOf(job, networks, parts);
  const { trials, best } = await searched(job, evaluate);
  const begin = start === "scratch" ? untrained(supernet.plain(best), seed) : await evaluate.ready(best);
  const result = await trained(job, "network", begin, { data });
  const report = reportOf(model, supernet, best);
  return { model: result.model, report, trials, supernet: meta.report, training: result.report };
}

/** One of the two trainings, with checkpoints of its own. */
async function trained(
  { options, scope }: Job,
  of: "supernet" | "network",
  model: Model,
  what: Pick<FitOptions, "data" | "drive">,
): Promise<TrainResult> {
  const { loss = "crossEntropy", seed = 0, checkpoint, resume = false } = options;
  const run = fit(model, {
    ...{ optimizer: adamw({ weightDecay: 0 }), learningRate: 3e-3, schedule: "warmup", clip: 1, loss, seed },
    ...options[of],
    ...what,
    ...runtimeOf(options),
    ...(checkpoint && { checkpoint: { folder: `${checkpoint.folder}/${of}` }, resume }),
    signal: scope.signal,
  });
  for await (const event of run) scope.emit({ type: "training", of, event });
  return await run.result;
}

function runtimeOf({ open, session }: MetaPruningOptions): Pick<FitOptions, "open" | "session"> {
  return { ...(open && { open }), ...(session && { session }) };
}

interface ChoiceEvaluation {
  /** The network of a choice, its norms by its own values. */
  ready(choice: Choice): Promise<Model>;
  accuracy(choice: Choice): Promise<number>;
}

/** Candidates with generated weights: their norms are measured on samples of the training, their accuracy on samples held out of it. */
async function evaluationOf(
  { options, scope }: Job,
  networks: (choice: Choice) => Model,
  parts: Split,
): Promise<ChoiceEvaluation> {
  const { loss = "crossEntropy", seed = 0, recalibration = {} } = options;
  const { samples = 1024, batch } = recalibration;
  const few = Math.min(samples, parts.calibration.size);
  const shuffled = shuffleSamples(parts.calibration, seed);
  const data = await inMemory(
    subset(
      shuffled,
      Array.from({ length: few }, (_, i) => i),
    ),
  );
  const held = await inMemory(parts.evaluation);
  const common = { ...runtimeOf(options), signal: scope.signal };
  const ready = (choice: Choice): Promise<Model> =>
    recalibrated(networks(choice), { data, seed, ...(batch !== undefined && { batch }), ...common });
  return {
    ready,
    async accuracy(choice) {
      const network = await ready(choice);
      const metrics = await evaluateModel(network, { data: held, loss, metrics: ["accuracy"], ...common });
      return must(new Map(Object.entries(metrics)), "accuracy");
    },
  };
}

/** What is known of a candidate; its accuracy is no number where it is too slow. */
interface Value {
  readonly macs: number;
  readonly latency?: number;
  readonly accuracy: number;
}

/** What the paper's search does: 20 rounds, of which the first is drawn. */
const ROUNDS: Required<Omit<EvolutionOptions, "lifetime">> = {
  population: 50,
  parents: 10,
  mutations: 25,
  crossovers: 25,
  generations: 19,
};

async function searched(
  job: Job,
  { accuracy }: ChoiceEvaluation,
): Promise<{ readonly trials: readonly MetaTrial[]; readonly best: Choice }> {
  const { options, supernet, counted, space, scope } = job;
  const rounds = { ...ROUNDS, ...options.evolution };
  const most = rounds.population + rounds.generations * (rounds.mutations + rounds.crossovers);
  const store = await storeOf(job);
  await using timer = options.latency && (await timerOf(job, options.latency.feeds));
  const run = search<Choice, Value>({
    space,
    strategy: evolution(rounds),
    evaluate: async (choice) => {
      const latency = await timer?.shareOf(choice);
      const known = { macs: counted.macsOf(choice), ...(latency !== undefined && { latency }) };
      const isTooSlow = latency !== undefined && latency > options.latency!.share;
      return { ...known, accuracy: isTooSlow ? Number.NaN : await accuracy(choice) };
    },
    score: (value) => value.accuracy,
    seed: options.seed ?? 0,
    signal: scope.signal,
    ...(store && { store }),
  });
  const told = ({ candidate, value: { accuracy: found, ...known } }: Trial<Choice, Value>): MetaTrial => ({
    widths: positionsAt(supernet, candidate),
    ...known,
    ...(!Number.isNaN(found) && { accuracy: found }),
  });
  for await (const event of run) {
    if (event.type === "trial") scope.emit({ type: "trial", trial: told(event.trial), done: event.evaluations, most });
  }
  const { trials, best } = await run.result;
  if (best) return { trials: trials.map(told), best: best.candidate };
  throw new UsageError("no candidate is as fast as that", {
    expected: `at most ${options.latency?.share} of the original's time`,
    got: `${minOf(trials.map(({ value }) => value.latency ?? 1)).toFixed(3)}`,
    hint: "Allow smaller scales, round less, or draw more candidates.",
  });
}

/** Candidates against the original, in turn. The weights make no difference. */
async function timerOf({ model, options, supernet, scope }: Job, feeds: Feeds) {
  const { open = openSession, session, seed = 0, latency } = options;
  const original = await open(model, session);
  return {
    async shareOf(choice: Choice): Promise<number> {
      await using own = await open(supernet.plain(choice), session);
      const horizon = 1 / (latency?.share ?? 1);
      const { ratio } = await compareLatency(original, own, feeds, { seed, horizon, signal: scope.signal });
      return 1 / ratio;
    },
    [Symbol.asyncDispose]: () => original[Symbol.asyncDispose](),
  };
}

/** The journal of the search; another one is begun where nothing is resumed. */
async function storeOf({ options, supernet }: Job): Promise<SearchStore<Value> | undefined> {
  const { checkpoint, resume = false, seed = 0, macs, latency } = options;
  if (!checkpoint) return undefined;
  const { searchJournal } = await import("../../search/files.ts");
  const { remove } = await import("../../file-system.ts");
  const path = `${checkpoint.folder}/search.jsonl`;
  if (!resume) await remove(path);
  const counts = supernet.widths.map((each) => each.counts);
  return await searchJournal<Value>(path, {
    counts,
    seed,
    macs,
    latency: latency?.share,
    epochs: options.supernet.epochs,
  });
}

/** Positions that each width keeps. */
function positionsAt({ widths }: WidthSupernet, choice: Choice): number[] {
  return widths.map(({ width, counts }, i) => {
    const gone = new Set(width.classes.slice(nth(counts, nth(choice, i))));
    return width.positions - nth(width.axes, 0).classes.reduce((count, of) => count + (gone.has(of) ? 1 : 0), 0);
  });
}

function reportOf(model: Model, supernet: WidthSupernet, choice: Choice): PruneReport {
  const layersOf = ({ axes }: Width): string[] => [...new Set(axes.map(({ node }) => labelOf(node)))];
  const kept = positionsAt(supernet, choice);
  return {
    widths: [
      ...supernet.widths.map(
        ({ width }, i): PrunedWidth => ({
          layers: layersOf(width),
          before: width.positions,
          after: nth(kept, i),
          held: width.held,
        }),
      ),
      ...supernet.held.map(({ width, reasons }): PrunedWidth => {
        const { positions } = width;
        return { layers: layersOf(width), before: positions, after: positions, held: reasons };
      }),
    ],
    ...costChange(costOf(model), costOf(supernet.plain(choice))),
  };
}
