/** @file Sessions timed against each other in one interleaved run. */
import { atLeast, nth } from "../checked.ts";
import { type Deadline, isPast } from "../deadline.ts";
import { UsageError } from "../errors.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import { checkCancelled, type Feeds, type HeldFeeds, type Session } from "../runtime/index.ts";
import { holdingAll } from "./held-feeds.ts";
import { allRounds, type Estimator, type Ratio, ratioInterval, typicalRound } from "./ratio-interval.ts";
import { shuffled, splitMix } from "./split-mix.ts";
import { mean, median, quantile } from "./statistics.ts";
import { isSettled, type Verdict, verdictOf } from "./verdict.ts";

export interface LatencyOptions {
  /** Rounds in which every session runs, at most; default 50. */
  readonly rounds?: number;
  /** Runs of each before the first round; default 3. */
  readonly warmup?: number;
  /** Milliseconds that each session gets in a round at least, filled with repeated runs; default 5. */
  readonly slot?: number;
  /** Ends earlier, after this many seconds. */
  readonly seconds?: number;
  /** Ends earlier, at this moment, with the rounds so far; one is run at least. */
  readonly deadline?: Deadline;
  /** Ends earlier, when every interval lies on one side of 1 and of this ratio, or all between its inverse and it, or when sessions are further apart than rounds could tell; see `HORIZON`. */
  readonly horizon?: number;
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
  /** A's time divided by B's: above 1, B is faster. Of the mean levels of their sessions: medians over rounds; of several inputs, total times. */
  readonly ratio: number;
  /** The 95 % interval of `ratio`, see `ratioInterval`. */
  readonly spread: readonly [number, number];
  /** What the interval says of B. */
  readonly verdict: Verdict;
  readonly rounds: number;
  /** Inputs that were timed in turn. */
  readonly inputs: number;
  /** In which each was timed, the fewer of both; with one the interval does not know how far two sessions of one model come out apart. */
  readonly sessions: number;
}

/** One side of a race. */
export interface Contender {
  readonly session: Session;
  /** Further sessions of the same model, in which it is timed, too (`openReplicas`). */
  readonly replicas?: readonly Session[];
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
  readonly sessions: number;
}

export const latencyOptionsNames: OptionNames<LatencyOptions> = {
  rounds: true,
  warmup: true,
  slot: true,
  seconds: true,
  deadline: true,
  horizon: true,
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
  const all = contenders.flatMap(({ session, replicas = [], feeds }, owner) =>
    [session, ...replicas].map((each) => ({ session: each, inputs: "get" in feeds ? [feeds] : feeds, owner })),
  );
  const counts = new Set(all.map(({ inputs }) => inputs.length));
  if (counts.size > 1 || counts.has(0)) {
    throw new UsageError("every side is timed on the same number of inputs, one at least", {
      got: [...counts].join(" and "),
    });
  }
  if (all.length === 0) return [];
  return await holdingAll(all, (held) =>
    interleave(
      held.map((inputs, i) => ({ inputs, owner: nth(all, i).owner })),
      options,
    ),
  );
}

/** `raceLatency` of two. */
export async function compareLatency(
  a: Session | readonly Session[],
  b: Session | readonly Session[],
  feeds: Contender["feeds"] | { readonly a: Contender["feeds"]; readonly b: Contender["feeds"] },
  options: LatencyOptions = {},
): Promise<LatencyComparison> {
  const sides = "a" in feeds ? feeds : { a: feeds, b: feeds };
  const contender = (sessions: Session | readonly Session[], fed: Contender["feeds"]): Contender => {
    const [session, ...replicas] = "run" in sessions ? [sessions] : sessions;
    if (!session) throw new UsageError("a model is timed in one session at least");
    return { session, replicas, feeds: fed };
  };
  const [first, second] = atLeast(await raceLatency([contender(a, sides.a), contender(b, sides.b)], options), 2);
  const { ratio, spread, verdict, rounds, inputs } = second;
  const sessions = Math.min(first.sessions, second.sessions);
  return { a: statsIn(first), b: statsIn(second), ratio, spread, verdict, rounds, inputs, sessions };
}

function statsIn({ p50, p95, min, mean, processor }: LatencyStats): LatencyStats {
  return { p50, p95, min, mean, ...(processor !== undefined && { processor }) };
}

/** One session. */
interface Side {
  /** Position of its contender. */
  readonly owner: number;
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

type Held = Pick<Side, "owner" | "inputs">;

/** Rounds before the intervals are looked at for the first time, and by how much more of them each later time. */
const FIRST_LOOK = 10;
const NEXT_LOOK = 1.5;

async function interleave(held: readonly Held[], options: LatencyOptions): Promise<Standing[]> {
  const { rounds = 50, warmup = 3, slot = 5, seconds = Number.POSITIVE_INFINITY, seed = 0, signal, deadline } = options;
  const sides: Side[] = [];
  for (const side of held) sides.push(await prepare(side, isPast(deadline) ? 1 : warmup));
  const [first] = atLeast(sides, 1);
  const count = first.inputs.length;
  const repeatsOf = ({ typical }: Side): number => Math.max(1, Math.ceil(slot / Math.max(typical, 1e-3)));
  const time = (side: Side, round: number): Promise<number> =>
    count === 1 ? timeOne(side, repeatsOf(side)) : timeSome(side, round, repeatsOf(first));
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
  const inputs = Math.min(count, round * repeatsOf(first));
  return ratiosOf(sides, seed).map(({ ratio, spread }, owner) => {
    const own = sides.filter((side) => side.owner === owner);
    const judged = { ratio, spread, verdict: verdictOf(spread) };
    return { ...statsOf(own), ...judged, rounds: round, inputs, sessions: own.length };
  });
}

/** Whether more rounds would tell no more: every interval is settled, or as wide as the sessions make it. */
function areSettled(sides: readonly Side[], { horizon, seed = 0 }: LatencyOptions): boolean {
  if (horizon === undefined) return false;
  return ratiosOf(sides, seed).every(({ spread, isOfSessions }) => isOfSessions || isSettled(spread, horizon));
}

/** Of every contender, against the first. */
function ratiosOf(sides: readonly Side[], seed: number): Ratio[] {
  const roundsOf = (owner: number) => sides.filter((side) => side.owner === owner).map(({ rounds }) => rounds);
  const estimator: Estimator = nth(sides, 0).inputs.length === 1 ? typicalRound : allRounds;
  const owners = new Set(sides.map(({ owner }) => owner));
  return [...owners].map((owner) =>
    owner === 0
      ? { ratio: 1, spread: [1, 1], isOfSessions: false }
      : ratioInterval(roundsOf(0), roundsOf(owner), estimator, seed),
  );
}

async function prepare({ owner, inputs }: Held, warmup: number): Promise<Side> {
  const { times, firstRun } = await nth(inputs, 0).time(warmup);
  const typical = times.length > 0 ? median(times) : firstRun;
  return { owner, inputs, typical, times: [], rounds: [], processor: 0 };
}

/** The median of runs on the one input. */
async function timeOne(side: Side, repeats: number): Promise<number> {
  return median(await timesOf(side, nth(side.inputs, 0), repeats));
}

/** The mean of runs on the inputs whose turn it is. */
async function timeSome(side: Side, round: number, repeats: number): Promise<number> {
  const times: number[] = [];
  for (let i = round * repeats; i < (round + 1) * repeats; i++) {
    const [time] = atLeast(await timesOf(side, nth(side.inputs, i % side.inputs.length), 1), 1);
    times.push(time);
  }
  return mean(times);
}

async function timesOf(side: Side, input: HeldFeeds, repeats: number): Promise<readonly number[]> {
  const { times, processor } = await input.time(repeats);
  for (const item of times) side.times.push(item);
  side.processor = add(side.processor, processor);
  return times;
}

function add(sum: number | undefined, more: number | undefined): number | undefined {
  return sum === undefined || more === undefined ? undefined : sum + more;
}

function statsOf(sides: readonly Side[]): LatencyStats {
  const times = sides.flatMap((side) => side.times);
  const processor = sides.reduce<number | undefined>((sum, side) => add(sum, side.processor), 0);
  return {
    p50: quantile(times, 0.5),
    p95: quantile(times, 0.95),
    min: quantile(times, 0),
    mean: mean(times),
    ...(processor !== undefined && { processor: processor / times.length }),
  };
}
