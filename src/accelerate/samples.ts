/** @file The samples that candidates are measured on: divided, and remembered while they fit into memory. */
import { type Deadline, isPast } from "../deadline.ts";
import { DataError } from "../errors.ts";
import type { Batch } from "../measure/index.ts";
import { checkCancelled, type Feeds, feedBytes } from "../runtime/index.ts";
import { firstOf } from "./first-of.ts";

export type Batches = () => AsyncIterable<Batch>;

export interface Samples {
  readonly calibration: Batches;
  /** For choosing among candidates. */
  readonly selection: Batches;
  /** For the final figures; disjoint from `selection` unless there are too few. */
  readonly verification: Batches;
  readonly isDivided: boolean;
  /** Samples in each. */
  readonly sizes: { readonly selection: number; readonly verification: number };
  /** Whether there is evaluation data that was not read in time. */
  readonly isCut: boolean;
  /** Batches in `selection`. */
  readonly batches: number;
  /** The inputs that are timed. */
  readonly timed: Feeds;
  readonly timedBatch: number;
}

/** Below this many batches of evaluation data, choosing and verifying share them. */
const FEWEST = 8;

const MEMORY = 2 ** 30;

/** Divides the evaluation batches that can be read until `deadline`: even positions choose, odd ones verify. */
export async function divideSamples(
  calibration: Batches,
  evaluation: Batches,
  signal: AbortSignal,
  deadline?: Deadline,
): Promise<Samples> {
  const { all, counts, isCut, first } = await read(evaluation, signal, deadline);
  if (!first) throw new DataError("there is no evaluation data");
  const isDivided = counts.length >= FEWEST;
  const sizeOf = (rest: number): number =>
    counts.reduce((sum, count, i) => (isDivided && i % 2 !== rest ? sum : sum + count), 0);
  return {
    calibration: remembered(calibration, MEMORY),
    selection: isDivided ? every(all, 0) : all,
    verification: isDivided ? every(all, 1) : all,
    isDivided,
    sizes: { selection: sizeOf(0), verification: sizeOf(1) },
    isCut,
    batches: isDivided ? Math.ceil(counts.length / 2) : counts.length,
    timed: first.feeds,
    timedBatch: batchOf(first),
  };
}

interface Read {
  readonly all: Batches;
  /** Samples of each batch. */
  readonly counts: readonly number[];
  readonly isCut: boolean;
  readonly first: Batch | undefined;
}

/** What can be read until `deadline`, and enough to divide at least; remembered while it fits into memory. */
async function read(batches: Batches, signal: AbortSignal, deadline: Deadline | undefined): Promise<Read> {
  const seen: Batch[] = [];
  const counts: number[] = [];
  let [bytes, isCut] = [0, false];
  for await (const batch of batches()) {
    checkCancelled(signal);
    isCut = counts.length >= FEWEST && isPast(deadline);
    if (isCut) break;
    counts.push(batch.labels?.length ?? batchOf(batch));
    bytes += feedBytes(batch.feeds);
    if (bytes <= MEMORY || seen.length === 0) seen.push(batch);
    else seen.length = 1;
  }
  const [first] = seen;
  const all = bytes <= MEMORY ? () => listed(seen) : () => firstOf(batches(), counts.length);
  return { all, counts, isCut, first };
}

async function* listed<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}

function every(batches: Batches, rest: number): Batches {
  return async function* () {
    let position = 0;
    for await (const batch of batches()) if (position++ % 2 === rest) yield batch;
  };
}

/** The first iteration that reaches the end keeps the batches, if they take no more than `limit` bytes. */
function remembered(batches: Batches, limit: number): Batches {
  let kept: Batch[] | undefined;
  return async function* () {
    if (kept) return yield* kept;
    const seen: Batch[] = [];
    let bytes = 0;
    for await (const batch of batches()) {
      bytes += feedBytes(batch.feeds);
      if (bytes <= limit) seen.push(batch);
      yield batch;
    }
    if (bytes <= limit) kept = seen;
  };
}

/** Samples in a batch: the length of its first axis. */
export function batchOf({ feeds }: Batch): number {
  const [first] = feeds.values();
  return first?.dims[0] ?? 1;
}
