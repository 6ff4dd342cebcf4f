/** @file What a step takes beside its batch, and several steps' feeds stacked for the loop. */
import { must, nth } from "../../checked.ts";
import { bytesOfTensor, type Tensor, tensor, tensorFromNumbers } from "../../ir/index.ts";
import type { Schedule } from "../schedules/index.ts";
import type { TrainingStep } from "../step/step.ts";
import type { FedBatch } from "./batch-feeds.ts";
import type { BatchPart } from "./batch-part.ts";
import type { Drives, Turn } from "./drive.ts";

export interface Pace {
  readonly learningRate: number;
  readonly schedule: Schedule;
  readonly updates: number;
  readonly seed: number;
  /** Inputs that the run feeds itself. */
  readonly drives?: Drives | undefined;
  /** What is taken of each batch: parts have dropout masks of their own. */
  readonly part?: BatchPart | undefined;
}

/** The update that batch `index` belongs to, counted from 0. */
export function updateOf({ accumulate }: Pick<TrainingStep, "accumulate">, index: number): number {
  return Math.floor(index / accumulate);
}

/** The learning rate at an update. */
export function rateAt({ learningRate, schedule, updates }: Pace, update: number): number {
  return learningRate * schedule(update, updates);
}

export function turnOf(step: Pick<TrainingStep, "accumulate">, batch: number, { updates, seed }: Pace): Turn {
  return { batch, update: updateOf(step, batch), updates, seed };
}

/** The feeds of batch `index`, counted from 0 over the whole run; they depend on nothing else. */
export function stepFeeds(step: TrainingStep, batch: FedBatch, index: number, pace: Pace): Map<string, Tensor> {
  const turn = turnOf(step, index, pace);
  const { update } = turn;
  const feeds = new Map(batch.feeds);
  for (const [name, drive] of Object.entries(pace.drives ?? {})) feeds.set(name, drive.train(turn));
  feeds.set(step.learningRate, tensor("float32", [], [rateAt(pace, update)]));
  feeds.set(step.step, tensorFromNumbers("int64", [], [update + 1]));
  if (step.maskKey) {
    const word = (pace.seed ^ Math.floor(pace.seed / 2 ** 32) ^ Math.imul(pace.part?.index ?? 0, 0x9e3779b1)) >>> 0;
    feeds.set(step.maskKey, tensorFromNumbers("uint32", [2], [word, index]));
  }
  if (step.apply) feeds.set(step.apply, tensorFromNumbers("bool", [], [(index + 1) % step.accumulate === 0 ? 1 : 0]));
  return feeds;
}

/** Feeds of equal dims, stacked along a new first axis. */
export function stackFeeds(all: readonly ReadonlyMap<string, Tensor>[]): Map<string, Tensor> {
  const [first] = all;
  const stacked = new Map<string, Tensor>();
  for (const [name, { dtype, dims }] of first ?? []) {
    const parts = all.map((feeds) => bytesOfTensor(must(feeds, name)));
    const data = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
    let offset = 0;
    for (const part of parts) {
      data.set(part, offset);
      offset += part.byteLength;
    }
    stacked.set(name, { dtype, dims: [all.length, ...dims], data });
  }
  return stacked;
}

/** Groups batches of one size, at most `limit(index)` from the one at `index` on. */
export async function* grouped(
  source: AsyncIterable<FedBatch>,
  start: number,
  limit: (index: number) => number,
): AsyncGenerator<readonly FedBatch[]> {
  let group: FedBatch[] = [];
  let first = start;
  for await (const batch of source) {
    if (group.length > 0 && batch.count !== nth(group, 0).count) {
      yield group;
      first += group.length;
      group = [];
    }
    group.push(batch);
    if (group.length < limit(first)) continue;
    yield group;
    first += group.length;
    group = [];
  }
  if (group.length > 0) yield group;
}
