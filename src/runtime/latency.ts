/** @file Sessions timed against each other in one interleaved run. */
import { type Deadline, isPast } from "../deadline.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import { withHeldFeeds } from "./held-feeds.ts";
import { checkCancelled } from "./run.ts";
import type { Feeds, HeldFeeds, Session } from "./session.ts";
import { bootstrapInterval, median, quantile } from "./statistics.ts";

export interface LatencyOptions {
  /** Rounds in which A and B each run; default 50. */
  readonly rounds?: number;
  /** Runs of each before the first round; default 3. */
  readonly warmup?: number;
  /** Milliseconds that each side gets in a round at least, filled with repeated runs; default 5. */
  readonly slot?: number;
  /** Ends earlier, after this many seconds. */
  readonly seconds?: number;
  /** Ends earlier, at this moment, with the rounds so far; one is run at least. */
  readonly deadline?: Deadline;
  /** Seed of the bootstrap; default 0. */
  readonly seed?: number;
  readonly signal?: AbortSignal;
}

/** Milliseconds. */
export interface LatencyStats {
  readonly p50: number;
  readonly p95: number;
  readonly min: number;
}

export interface LatencyComparison {
  readonly a: LatencyStats;
  readonly b: LatencyStats;
  /** The median over rounds of A's time divided by B's: above 1, B is faster. */
  readonly ratio: number;
  /** The 95 % bootstrap interval of `ratio`. */
  readonly spread: readonly [number, number];
  readonly rounds: number;
}

/** One side of a race. */
export interface Contender {
  readonly session: Session;
  readonly feeds: Feeds;
}

export interface Standing extends LatencyStats {
  /** The median over rounds of the first contender's time divided by this one's: above 1, this one is faster. */
  readonly ratio: number;
  /** The 95 % bootstrap interval of `ratio`. */
  readonly spread: readonly [number, number];
  readonly rounds: number;
}

export const latencyOptionsNames: OptionNames<LatencyOptions> = {
  rounds: true,
  warmup: true,
  slot: true,
  seconds: true,
  deadline: true,
  seed: true,
  signal: true,
};

/**
 * Times sessions in turn, who goes first changing from round to round, so that whatever slows the machine slows all
 * alike. No two run at once: an idle session of lithe's has no spinning threads (see `rules`).
 */
export async function raceLatency(contenders: readonly Contender[], options: LatencyOptions = {}): Promise<Standing[]> {
  checkOptions(options, latencyOptionsNames);
  const start = async ([next, ...rest]: readonly Contender[], held: readonly HeldFeeds[]): Promise<Standing[]> =>
    next
      ? withHeldFeeds(next.session, next.feeds, (feeds) => start(rest, [...held, feeds]))
      : interleave(held, options);
  return start(contenders, []);
}

/** `raceLatency` of two. */
export async function compareLatency(
  a: Session,
  b: Session,
  feeds: Feeds | { readonly a: Feeds; readonly b: Feeds },
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
  const { ratio, spread, rounds, ...stats } = second!;
  const { p50, p95, min } = first!;
  return { a: { p50, p95, min }, b: stats, ratio, spread, rounds };
}

interface Side {
  readonly held: HeldFeeds;
  readonly repeats: number;
  readonly times: number[];
  /** The first side's time in a round over this one's. */
  readonly ratios: number[];
}

async function interleave(held: readonly HeldFeeds[], options: LatencyOptions): Promise<Standing[]> {
  const { rounds = 50, warmup = 3, slot = 5, seconds = Number.POSITIVE_INFINITY, seed = 0, signal, deadline } = options;
  const sides: Side[] = [];
  for (const feeds of held) sides.push(await prepare(feeds, isPast(deadline) ? 1 : warmup, slot));
  const end = performance.now() + seconds * 1000;
  let round = 0;
  while (round < rounds && (round === 0 || (performance.now() < end && !isPast(deadline)))) {
    checkCancelled(signal);
    await timeRound(sides, round++ % 2 === 1);
  }
  return sides.map(({ times, ratios }) => ({
    ...statsOf(times),
    ratio: median(ratios),
    spread: bootstrapInterval(ratios, median, { seed }),
    rounds: round,
  }));
}

async function timeRound(sides: readonly Side[], isReversed: boolean): Promise<void> {
  const times = new Map<Side, number>();
  for (const side of isReversed ? sides.toReversed() : sides) times.set(side, await timeOf(side));
  for (const side of sides) side.ratios.push(times.get(sides[0]!)! / times.get(side)!);
}

async function prepare(held: HeldFeeds, warmup: number, slot: number): Promise<Side> {
  const { times, firstRun } = await held.time(warmup);
  const typical = times.length > 0 ? median(times) : firstRun;
  return { held, repeats: Math.max(1, Math.ceil(slot / Math.max(typical, 1e-3))), times: [], ratios: [] };
}

async function timeOf({ held, repeats, times }: Side): Promise<number> {
  const timing = await held.time(repeats);
  for (const item of timing.times) times.push(item);
  return median(timing.times);
}

function statsOf(times: readonly number[]): LatencyStats {
  return { p50: quantile(times, 0.5), p95: quantile(times, 0.95), min: quantile(times, 0) };
}
