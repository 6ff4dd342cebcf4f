/** @file Two sessions timed against each other in one interleaved run. */
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

/**
 * Times A and B in alternation, who goes first changing from round to round, so that whatever slows the machine slows
 * both alike. The two never run at once: an idle session of lithe's has no spinning threads (see `rules`).
 */
export async function compareLatency(
  a: Session,
  b: Session,
  feeds: Feeds | { readonly a: Feeds; readonly b: Feeds },
  options: LatencyOptions = {},
): Promise<LatencyComparison> {
  const sides = "a" in feeds ? feeds : { a: feeds, b: feeds };
  return withHeldFeeds(a, sides.a, (heldA) => withHeldFeeds(b, sides.b, (heldB) => interleave(heldA, heldB, options)));
}

interface Side {
  readonly held: HeldFeeds;
  readonly repeats: number;
  readonly times: number[];
}

async function interleave(a: HeldFeeds, b: HeldFeeds, options: LatencyOptions): Promise<LatencyComparison> {
  const { rounds = 50, warmup = 3, slot = 5, seconds = Number.POSITIVE_INFINITY, seed = 0, signal } = options;
  const first = await prepare(a, warmup, slot);
  const second = await prepare(b, warmup, slot);
  const ratios: number[] = [];
  const deadline = performance.now() + seconds * 1000;
  while (ratios.length < rounds && (performance.now() < deadline || ratios.length === 0)) {
    checkCancelled(signal);
    ratios.push(ratios.length % 2 === 0 ? await ratioOf(first, second) : 1 / (await ratioOf(second, first)));
  }
  return {
    a: statsOf(first.times),
    b: statsOf(second.times),
    ratio: median(ratios),
    spread: bootstrapInterval(ratios, median, { seed }),
    rounds: ratios.length,
  };
}

async function prepare(held: HeldFeeds, warmup: number, slot: number): Promise<Side> {
  const { times, firstRun } = await held.time(warmup);
  const typical = times.length > 0 ? median(times) : firstRun;
  return { held, repeats: Math.max(1, Math.ceil(slot / Math.max(typical, 1e-3))), times: [] };
}

async function ratioOf(first: Side, second: Side): Promise<number> {
  const top = await timeOf(first);
  return top / (await timeOf(second));
}

async function timeOf({ held, repeats, times }: Side): Promise<number> {
  const timing = await held.time(repeats);
  times.push(...timing.times);
  return median(timing.times);
}

function statsOf(times: readonly number[]): LatencyStats {
  return { p50: quantile(times, 0.5), p95: quantile(times, 0.95), min: quantile(times, 0) };
}
