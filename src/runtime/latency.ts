/** @file Sessions timed against each other in one interleaved run. */
import { type Deadline, isPast } from "../deadline.ts";
import { UsageError } from "../errors.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import { holdingAll } from "./held-feeds.ts";
import { allRounds, type Estimator, type Ratio, ratioInterval, typicalRound } from "./ratio-interval.ts";
import { checkCancelled } from "./run.ts";
import type { Feeds, HeldFeeds, Session } from "./session.ts";
import { shuffled, splitMix } from "./split-mix.ts";
import { mean, median, quantile } from "./statistics.ts";
import { isSettled, type Verdict, verdictOf } from "./verdict.ts";

export interface LatencyOptions {
  /** Rounds in which every side runs, at most; default 50. */
  readonly rounds?: number;
  /** Runs of each before the first round; default 3. */
  readonly warmup?: number;
  /** Milliseconds that each side gets in a round at least, filled with repeated runs; default 5. */
  readonly slot?: number;
  /** Ends earlier, after this many seconds. */
  readonly seconds?: number;
  /** Ends earlier, at this moment, with the rounds so far; one is run at least. */
  readonly deadline?: Deadline;
  /** Ends earlier, when every interval lies on one side of 1 and of this ratio, or all between its inverse and it; see `HORIZON`. */
  readonly horizon?: number;
  /**
   * A second session of the first side's model, timed in the same rounds: the intervals are as wide at least as these two come out apart.
   * Without one the first side is timed twice, which does not see that two sessions of one model differ.
   */
  readonly control?: Session;
  /** Seed of the order of turns and of the bootstrap; default 0. */
  readonly seed?: number;
  readonly signal?: AbortSignal;
}

/** Milliseconds. */
export interface LatencyStats {
  readonly p50: number;
  readonly p95: number;
  readonly min: number;
  readonly mean: number;
  /** Processor time of a run, of all threads; absent where the platform does not tell. Far less than the time it took means that the run waited. */
  readonly processor?: number;
}

export interface LatencyComparison {
  readonly a: LatencyStats;
  readonly b: LatencyStats;
  /** A's time divided by B's: above 1, B is faster. The median over rounds; of several inputs, the ratio of the total times. */
  readonly ratio: number;
  /** The 95 % interval of `ratio`, see `ratioInterval`. */
  readonly spread: readonly [number, number];
  /** What the interval says of B. */
  readonly verdict: Verdict;
  readonly rounds: number;
  /** Inputs that were timed in turn. */
  readonly inputs: number;
  /** Whether the interval knows how far two sessions of one model come out apart. */
  readonly hasControl: boolean;
}

/** One side of a race. */
export interface Contender {
  readonly session: Session;
  /** What is timed. Several are timed in turn, the same for all sides in a round; all sides have as many. */
  readonly feeds: Feeds | readonly Feeds[];
}

export interface Standing extends LatencyStats {
  /** The first contender's time divided by this one's: above 1, this one is faster. See `LatencyComparison`. */
  readonly ratio: number;
  /** The 95 % interval of `ratio`. */
  readonly spread: readonly [number, number];
  readonly verdict: Verdict;
  readonly rounds: number;
  readonly inputs: number;
}

export const latencyOptionsNames: OptionNames<LatencyOptions> = {
  rounds: true,
  warmup: true,
  slot: true,
  seconds: true,
  deadline: true,
  horizon: true,
  control: true,
  seed: true,
  signal: true,
};

/**
 * Times sessions in turn, in another random order in every round, so that whatever slows the machine slows all alike. No two run at once:
 * an idle session of lithe's has no spinning threads (see `rules`).
 *
 * @throws UsageError for contenders with different numbers of inputs
 */
export async function raceLatency(contenders: readonly Contender[], options: LatencyOptions = {}): Promise<Standing[]> {
  checkOptions(options, latencyOptionsNames);
  const [first] = contenders;
  if (!first) return [];
  const { control } = options;
  const sides = control ? [{ session: control, feeds: first.feeds }, ...contenders] : contenders;
  const all = sides.map(({ session, feeds }) => ({ session, inputs: "get" in feeds ? [feeds] : feeds }));
  const counts = new Set(all.map(({ inputs }) => inputs.length));
  if (counts.size !== 1 || counts.has(0)) {
    throw new UsageError("every side is timed on the same number of inputs, one at least", {
      got: [...counts].join(" and "),
    });
  }
  return await holdingAll(all, (held) => interleave(control ? held : [held[0]!, ...held], options));
}

/** `raceLatency` of two. */
export async function compareLatency(
  a: Session,
  b: Session,
  feeds: Contender["feeds"] | { readonly a: Contender["feeds"]; readonly b: Contender["feeds"] },
  options: LatencyOptions = {},
): Promise<LatencyComparison> {
  const sides = "a" in feeds ? feeds : { a: feeds, b: feeds };
  const [first, second] = await raceLatency(
    [
      { session: a, feeds: sides.a },
      { session: b, feeds: sides.b },
    ],
    options,
  );
  const { ratio, spread, verdict, rounds, inputs } = second!;
  const hasControl = options.control !== undefined;
  return { a: statsIn(first!), b: statsIn(second!), ratio, spread, verdict, rounds, inputs, hasControl };
}

function statsIn({ p50, p95, min, mean, processor }: LatencyStats): LatencyStats {
  return { p50, p95, min, mean, ...(processor !== undefined && { processor }) };
}

interface Side {
  readonly inputs: readonly HeldFeeds[];
  /** Milliseconds of a run, roughly. */
  readonly typical: number;
  /** Of every run. */
  readonly times: number[];
  /** Of every round, in milliseconds of a run. */
  readonly rounds: number[];
  /** Of all runs together, in milliseconds; unknown where the platform does not tell. */
  processor: number | undefined;
}

/** Rounds before the intervals are looked at for the first time, and by how much more of them each later time. */
const FIRST_LOOK = 10;
const NEXT_LOOK = 1.5;

async function interleave(held: readonly (readonly HeldFeeds[])[], options: LatencyOptions): Promise<Standing[]> {
  const { rounds = 50, warmup = 3, slot = 5, seconds = Number.POSITIVE_INFINITY, seed = 0, signal, deadline } = options;
  const sides: Side[] = [];
  for (const inputs of held) sides.push(await prepare(inputs, isPast(deadline) ? 1 : warmup));
  const [, first] = sides;
  const count = first!.inputs.length;
  const repeatsOf = ({ typical }: Side): number => Math.max(1, Math.ceil(slot / Math.max(typical, 1e-3)));
  const time = (side: Side, round: number): Promise<number> =>
    count === 1 ? timeOne(side, repeatsOf(side)) : timeSome(side, round, repeatsOf(first!));
  const random = splitMix(seed);
  const end = performance.now() + seconds * 1000;
  let [round, look] = [0, FIRST_LOOK];
  while (round < rounds && (round === 0 || (performance.now() < end && !isPast(deadline)))) {
    checkCancelled(signal);
    for (const side of shuffled(sides, random)) side.rounds.push(await time(side, round));
    if (++round < look) continue;
    if (areSettled(sides, options)) break;
    look = Math.ceil(look * NEXT_LOOK);
  }
  const ratios = ratiosOf(sides, seed);
  const inputs = Math.min(count, round * repeatsOf(first!));
  return sides.slice(1).map((side, i) => {
    const ratio = ratios[i]!;
    return { ...statsOf(side), ...ratio, verdict: verdictOf(ratio.spread), rounds: round, inputs };
  });
}

function areSettled(sides: readonly Side[], { horizon, seed = 0 }: LatencyOptions): boolean {
  return horizon !== undefined && ratiosOf(sides, seed).every(({ spread }) => isSettled(spread, horizon));
}

/** Of every side after the control, of which the first is the one that all are compared with. */
function ratiosOf([control, first, ...others]: readonly Side[], seed: number): Ratio[] {
  const estimator: Estimator = first!.inputs.length === 1 ? typicalRound : allRounds;
  const ratios = others.map(({ rounds }) => ratioInterval(first!.rounds, rounds, control!.rounds, estimator, seed));
  return [{ ratio: 1, spread: [1, 1] }, ...ratios];
}

async function prepare(inputs: readonly HeldFeeds[], warmup: number): Promise<Side> {
  const { times, firstRun } = await inputs[0]!.time(warmup);
  return { inputs, typical: times.length > 0 ? median(times) : firstRun, times: [], rounds: [], processor: 0 };
}

/** The median of runs on the one input. */
async function timeOne(side: Side, repeats: number): Promise<number> {
  return median(await timesOf(side, side.inputs[0]!, repeats));
}

/** The mean of runs on the inputs whose turn it is. */
async function timeSome(side: Side, round: number, repeats: number): Promise<number> {
  const times: number[] = [];
  for (let i = round * repeats; i < (round + 1) * repeats; i++) {
    const [time] = await timesOf(side, side.inputs[i % side.inputs.length]!, 1);
    times.push(time!);
  }
  return mean(times);
}

async function timesOf(side: Side, input: HeldFeeds, repeats: number): Promise<readonly number[]> {
  const { times, processor } = await input.time(repeats);
  for (const item of times) side.times.push(item);
  side.processor = processor === undefined ? undefined : add(side.processor, processor);
  return times;
}

function add(sum: number | undefined, more: number): number | undefined {
  return sum === undefined ? undefined : sum + more;
}

function statsOf({ times, processor }: Side): LatencyStats {
  return {
    p50: quantile(times, 0.5),
    p95: quantile(times, 0.95),
    min: quantile(times, 0),
    mean: mean(times),
    ...(processor !== undefined && { processor: processor / times.length }),
  };
}
