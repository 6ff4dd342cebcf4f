/** @file Times of one session. */
import { nth } from "../checked.ts";
import type { Model } from "../ir/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import {
  checkCancelled,
  type Feeds,
  type HeldFeeds,
  type NodeProfile,
  type OpenSession,
  type Session,
  type SessionOptions,
  sessionOptionNames,
} from "../runtime/index.ts";
import { holdingAll } from "./held-feeds.ts";
import { mean, quantile } from "./statistics.ts";

export interface BenchmarkOptions {
  /** Runs before the first that counts; default 5. */
  readonly warmup?: number;
  /** Runs that count; default 100. */
  readonly rounds?: number;
  /** Ends earlier, after this many seconds of counted runs. */
  readonly seconds?: number;
  /** Samples in one run, for `throughput`; default 1. */
  readonly batch?: number;
  readonly signal?: AbortSignal;
}

/** Times in milliseconds. */
export interface Benchmark {
  readonly p50: number;
  readonly p95: number;
  readonly min: number;
  readonly mean: number;
  /** Samples per second. */
  readonly throughput: number;
  /** The first run of the session, warm-up included. */
  readonly firstRun: number;
  readonly loadTime: number;
  /** Highest resident bytes of the process that holds the session; a process of its own gives the model's share alone. */
  readonly peakMemory: number | undefined;
  readonly rounds: number;
  /** Inputs that were timed in turn. */
  readonly inputs: number;
}

const CHUNK_MS = 100;

const benchmarkOptionsNames: OptionNames<BenchmarkOptions> = {
  warmup: true,
  rounds: true,
  seconds: true,
  batch: true,
  signal: true,
};

/** Runs `session` repeatedly on the same feeds, or on several in turn, timed next to the runtime. */
export async function benchmark(
  session: Session,
  feeds: Feeds | readonly Feeds[],
  options: BenchmarkOptions = {},
): Promise<Benchmark> {
  checkOptions(options, benchmarkOptionsNames);
  const { warmup = 5, rounds = 100, seconds = Number.POSITIVE_INFINITY, batch = 1, signal } = options;
  const inputs = "get" in feeds ? [feeds] : feeds;
  const { times, firstRun } = await holdingAll([{ session, inputs }], async ([held]) => {
    const first = await nth(held!, 0).time(warmup);
    return { times: await timesOf(held!, rounds, seconds * 1000, signal), firstRun: first.firstRun };
  });
  const memory = await session.memory?.();
  return {
    p50: quantile(times, 0.5),
    p95: quantile(times, 0.95),
    min: quantile(times, 0),
    mean: mean(times),
    throughput: (1000 * batch) / mean(times),
    firstRun,
    loadTime: session.loadTime,
    peakMemory: memory?.peak,
    rounds: times.length,
    inputs: Math.min(inputs.length, times.length),
  };
}

/** Asks for runs in chunks, between which the work can be cancelled. */
async function timesOf(
  inputs: readonly HeldFeeds[],
  rounds: number,
  budget: number,
  signal?: AbortSignal,
): Promise<number[]> {
  const times: number[] = [];
  let spent = 0;
  let [chunk, turn] = [1, 0];
  while (times.length < rounds && (spent < budget || times.length === 0)) {
    checkCancelled(signal);
    const held = nth(inputs, turn++ % inputs.length);
    const timing = await held.time(inputs.length > 1 ? 1 : Math.min(chunk, rounds - times.length));
    for (const item of timing.times) times.push(item);
    spent = times.reduce((sum, time) => sum + time, 0);
    chunk = Math.max(1, Math.floor(Math.min(CHUNK_MS, budget - spent) / (spent / times.length)));
  }
  return times;
}

const profileNodesOptionNames: OptionNames<SessionOptions & { readonly rounds?: number }> = {
  ...sessionOptionNames,
  rounds: true,
};

/** Microseconds by node, slowest first, from a session of its own that profiles `rounds` runs. */
export async function profileNodes(
  open: OpenSession,
  model: Model,
  feeds: Feeds,
  given: SessionOptions & { readonly rounds?: number } = {},
): Promise<readonly NodeProfile[]> {
  const { rounds = 20, ...options } = checkOptions(given, profileNodesOptionNames);
  await using session = await open(model, { step: "profiling", ...options, profile: true });
  await session.time(feeds, rounds);
  return await session.profile();
}
