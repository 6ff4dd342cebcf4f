/** @file The samples that candidates are measured on: divided, and remembered while they fit into memory. */
import { DataError } from "../errors.ts";
import { bytesOfTensor } from "../ir/index.ts";
import { type Batch, checkCancelled, type Feeds } from "../runtime/index.ts";

export type Batches = () => AsyncIterable<Batch>;

export interface Samples {
  readonly calibration: Batches;
  /** For choosing among candidates. */
  readonly selection: Batches;
  /** For the final figures; disjoint from `selection` unless there are too few. */
  readonly verification: Batches;
  readonly isDivided: boolean;
  /** The inputs that are timed. */
  readonly timed: Feeds;
  readonly timedBatch: number;
}

/** Below this many batches of evaluation data, choosing and verifying share them. */
const FEWEST = 8;

const MEMORY = 2 ** 30;

/** Divides the evaluation batches: even positions choose, odd ones verify. */
export async function divideSamples(calibration: Batches, evaluation: Batches, signal: AbortSignal): Promise<Samples> {
  const all = remembered(evaluation, MEMORY);
  let count = 0;
  let first: Batch | undefined;
  for await (const batch of all()) {
    checkCancelled(signal);
    first ??= batch;
    count++;
  }
  if (!first) throw new DataError("there is no evaluation data");
  const isDivided = count >= FEWEST;
  return {
    calibration: remembered(calibration, MEMORY),
    selection: isDivided ? every(all, 0) : all,
    verification: isDivided ? every(all, 1) : all,
    isDivided,
    timed: first.feeds,
    timedBatch: batchOf(first),
  };
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
      bytes += sizeOfFeeds(batch.feeds);
      if (bytes <= limit) seen.push(batch);
      yield batch;
    }
    if (bytes <= limit) kept = seen;
  };
}

function sizeOfFeeds(feeds: Feeds): number {
  let bytes = 0;
  for (const tensor of feeds.values()) bytes += tensor.dtype === "string" ? 0 : bytesOfTensor(tensor).byteLength;
  return bytes;
}

/** Samples in a batch: the length of its first axis. */
export function batchOf({ feeds }: Batch): number {
  const [first] = feeds.values();
  return first?.dims[0] ?? 1;
}
