/** @file Pruning for a target: widths that its kernels like, and a result that is timed there against the original. */
import { certain, nth } from "../checked.ts";
import { BoundError, UsageError } from "../errors.ts";
import type { Model } from "../ir/index.ts";
import { type KernelBlocks, measureKernelBlocks } from "../measure/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import {
  classesOf,
  countsAt,
  type Prunable,
  type PrunedModel,
  type PruneSettings,
  prunable,
  pruneSettingsNames,
  without,
} from "./prunable.ts";
import { checkSettings, countsFor, isNothing, type PruneAmount } from "./prune.ts";
import { openRace, type PruneTrial, type Race, type RaceOptions, raceOptionsNames } from "./race.ts";
import { type Rounding, roundingText } from "./rounding.ts";

/** As for `pruneModel`, or so much that this share of the time is left at most. */
export type MeasuredAmount =
  | (PruneAmount & { readonly latency?: undefined })
  | { readonly latency: number; readonly ratio?: undefined; readonly macs?: undefined };

export interface MeasuredPruneSettings extends Omit<PruneSettings, "round">, RaceOptions {
  /**
   * `"auto"`, the default: the blocks of kernels that were measured; where the result is no faster than the original, more and less
   * rounding, and narrower layers only where that pays.
   */
  readonly round?: Rounding | "auto";
  /** The blocks, where they are known; measured by default. */
  readonly blocks?: () => Promise<KernelBlocks>;
  /** Whether a result may be slower than the original: nothing is timed then but for `latency`. */
  readonly allowSlower?: boolean;
}

export type MeasuredPruneOptions = MeasuredAmount & MeasuredPruneSettings;

/** What was decided, plain data. */
export interface PruneDecision {
  readonly round: Rounding;
  /** How many classes of each width that can be narrowed go. */
  readonly counts: readonly number[];
  /** All that were timed, in order; none where nobody asks how fast the result is. */
  readonly trials: readonly PruneTrial[];
  /** The place among them of the one that was chosen. */
  readonly chosen?: number;
}

export interface MeasuredPrune extends PrunedModel, PruneDecision {}

const measuredPruneOptionsNames: OptionNames<
  MeasuredPruneSettings & { ratio?: number; macs?: number; latency?: number }
> = {
  ...pruneSettingsNames,
  ...raceOptionsNames,
  ratio: true,
  macs: true,
  latency: true,
  blocks: true,
  allowSlower: true,
};

/**
 * `pruneModel` for a target: pruned models and the original are timed there in turns, and what is slower by the whole 95 % interval is no
 * result.
 *
 * @throws what `pruneModel` throws; BoundError where every pruned model that was timed is slower, and for a time that cannot be reached
 */
export async function pruneMeasured(model: Model, options: MeasuredPruneOptions): Promise<MeasuredPrune> {
  checkOptions<MeasuredPruneOptions>(options, measuredPruneOptionsNames);
  const decision = await decidePruning(model, options);
  return { ...prunedAs(model, settingsOf(options, decision.round), decision), ...decision };
}

/** What was decided, done. */
export function prunedAs(
  model: Model,
  settings: PruneSettings,
  { counts }: Pick<PruneDecision, "counts">,
): PrunedModel {
  const found = prunable(model, settings);
  return without(found, classesOf(found, counts));
}

/** The part of `pruneMeasured` that measures. */
export async function decidePruning(model: Model, options: MeasuredPruneOptions): Promise<PruneDecision> {
  checkMeasured(checkOptions<MeasuredPruneOptions>(options, measuredPruneOptionsNames));
  const found = prunable(model, settingsOf(options, 1));
  const all = await roundingsFor(options);
  const roundings = all.slice(firstThatCuts(found, options, all));
  const first = nth(roundings, 0);
  const { latency, allowSlower, seed = 0 } = options;
  if (latency === undefined && allowSlower)
    return { round: first, counts: certain(countsAtMost(found, options, first)), trials: [] };
  await using race = await openRace(found, options, seed);
  const trial =
    latency === undefined
      ? await fastEnough(race, options, roundings)
      : await withinTime(race, options, latency, first);
  const { trials } = race;
  return { round: trial.round, counts: trial.counts, trials, chosen: trials.indexOf(trial) };
}

function checkMeasured(options: MeasuredPruneOptions): void {
  const { ratio, macs, latency, round = "auto" } = options;
  checkSettings(settingsOf(options, round === "auto" ? 1 : round), { ratio, macs, latency });
  const given = [ratio, macs, latency].filter((share) => share !== undefined).length;
  if (given === 1) return;
  throw new UsageError("one of ratio, macs and latency says how much goes", { got: `${given} of them` });
}

function settingsOf(options: PruneSettings | MeasuredPruneSettings, round: Rounding): PruneSettings {
  const { criterion, ranking, most, limits, factor, exclude, seed, evidence } = options;
  return {
    round,
    ...(criterion && { criterion }),
    ...(ranking && { ranking }),
    ...(most !== undefined && { most }),
    ...(limits && { limits }),
    ...(factor && { factor }),
    ...(exclude && { exclude }),
    ...(seed !== undefined && { seed }),
    ...(evidence && { evidence }),
  };
}

/** The measured blocks, twice as much in case that is faster, and less down to none. */
async function roundingsFor(options: MeasuredPruneOptions): Promise<Rounding[]> {
  const { round = "auto", open, session = {}, signal } = options;
  if (round !== "auto") return [round];
  const { ep = "cpu", threads = 1 } = session;
  const measured = async () => (await measureKernelBlocks(open, { ep, threads, ...(signal && { signal }) })).blocks;
  const blocks = await (options.blocks ?? measured)();
  const scaled = (factor: number): KernelBlocks => ({
    convolution: Math.max(1, blocks.convolution * factor),
    product: Math.max(1, blocks.product * factor),
  });
  const least = Math.log2(Math.max(blocks.convolution, blocks.product));
  return [1, 2, ...Array.from({ length: least }, (_, i) => 2 ** -(i + 1))].map(scaled);
}

/** Position of the first rounding at which anything goes. @throws what `pruneModel` throws where nothing does at any */
function firstThatCuts(found: Prunable, options: MeasuredPruneOptions, roundings: readonly Rounding[]): number {
  const first = roundings.findIndex((round) => countsAtMost(found, options, round) !== undefined);
  if (first >= 0) return first;
  countsFor(found, { ...settingsOf(options, nth(roundings, roundings.length - 1)), ...amountOf(options) });
  return roundings.length - 1;
}

/** What goes at a rounding, of a time to reach all that can go; `undefined` where nothing does. */
function countsAtMost(found: Prunable, options: MeasuredPruneOptions, round: Rounding): readonly number[] | undefined {
  const settings = settingsOf(options, round);
  if (options.latency !== undefined) return something(countsAt(found, 1, settings));
  try {
    return countsFor(found, { ...settings, ...amountOf(options) });
  } catch (error) {
    if (error instanceof UsageError) return undefined;
    throw error;
  }
}

function something(counts: readonly number[]): readonly number[] | undefined {
  return isNothing(counts) ? undefined : counts;
}

/** Of a time to reach: all. */
function amountOf({ ratio, macs }: MeasuredPruneOptions): PruneAmount {
  return macs === undefined ? { ratio: ratio ?? 1 } : { macs };
}

/** The first rounding that is faster than the original, else what pays of it, else the best that is not slower. */
async function fastEnough(
  race: Race,
  options: MeasuredPruneOptions,
  roundings: readonly Rounding[],
): Promise<PruneTrial> {
  for (const round of roundings) {
    const counts = countsAtMost(race.found, options, round);
    const trial = counts && (await race.time(counts, round));
    if (trial?.latency.verdict === "faster") return trial;
  }
  const first = nth(race.trials, 0);
  if (options.round !== undefined && options.round !== "auto") return notSlower(race);
  const paying = options.ratio === undefined ? [] : await payingPlaces(race, first, placesOf(first.counts), DEPTH);
  const part = paying.length > 0 && (await race.time(only(first.counts, paying), first.round));
  return part && part.latency.verdict === "faster" ? part : notSlower(race);
}

/** How often widths are divided in search of those that pay. */
const DEPTH = 3;

/** Widths of which narrowing makes the model faster by itself, by halves in the order of the layers. */
async function payingPlaces(
  race: Race,
  { counts, round }: Pick<PruneTrial, "counts" | "round">,
  places: readonly number[],
  depth: number,
): Promise<number[]> {
  if (places.length < 2 || depth === 0) return [];
  const middle = Math.ceil(places.length / 2);
  const found: number[] = [];
  for (const half of [places.slice(0, middle), places.slice(middle)]) {
    const trial = await race.time(only(counts, half), round);
    if (!trial) break;
    const paying =
      trial.latency.verdict === "faster" ? half : await payingPlaces(race, { counts, round }, half, depth - 1);
    for (const place of paying) found.push(place);
  }
  return found;
}

function placesOf(counts: readonly number[]): number[] {
  return counts.flatMap((count, place) => (count > 0 ? [place] : []));
}

function only(counts: readonly number[], places: readonly number[]): number[] {
  const kept = new Set(places);
  return counts.map((count, place) => (kept.has(place) ? count : 0));
}

/** The fastest that was timed. @throws BoundError where that is slower than the original */
function notSlower({ trials }: Race): PruneTrial {
  const best = trials.reduce((fastest, trial) => (trial.latency.ratio > fastest.latency.ratio ? trial : fastest));
  if (best.latency.verdict !== "slower") return best;
  throw new BoundError("the pruned model is slower than the original", {
    expected: "a time that is no longer than the original's",
    got: trials.map(trialText).join("; "),
    hint: "Take another ratio or round, or allow it with allowSlower.",
  });
}

/** In words: how much faster, with the interval. */
export function trialText({ round, narrowed, latency: { ratio, spread } }: PruneTrial): string {
  const [low, high] = spread.map((end) => end.toFixed(2));
  return `${narrowed} widths in multiples of ${roundingText(round)}: ${ratio.toFixed(2)} times the speed (${low} to ${high})`;
}

/** The part of a ratio that is not looked at more closely. */
const FINEST = 1 / 64;

/** Bisection over the ratio: the largest one first, which says what is possible. */
async function withinTime(
  race: Race,
  options: MeasuredPruneOptions,
  share: number,
  round: Rounding,
): Promise<PruneTrial> {
  const settings = settingsOf(options, round);
  const left = ({ latency }: PruneTrial): number => 1 / latency.ratio;
  let best = await race.time(countsAt(race.found, 1, settings), round);
  if (!best || left(best) > share) throw outOfReach(share, best);
  let [low, high] = [0, 1];
  while (high - low > FINEST) {
    const ratio = (low + high) / 2;
    const counts = countsAt(race.found, ratio, settings);
    const trial = isNothing(counts) ? "nothing" : await race.time(counts, round);
    if (trial === undefined) break;
    if (trial !== "nothing" && left(trial) <= share) [best, high] = [trial, ratio];
    else low = ratio;
  }
  return best;
}

function outOfReach(share: number, extreme: PruneTrial | undefined): BoundError {
  const least = extreme ? 1 / extreme.latency.ratio : 1;
  return new BoundError("so short a time cannot be reached", {
    expected: `a share of at least ${least.toFixed(3)} of the original's, which is left when all is as narrow as may be`,
    got: String(share),
    hint: "Let widths lose more with most, or take another ranking.",
  });
}
