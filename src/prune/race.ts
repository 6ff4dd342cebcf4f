/** @file Pruned models timed against the original where they are to run. */

import type { Model } from "../ir/index.ts";
import { compareLatency, HORIZON, type LatencyComparison, openReplicated, type Replicated } from "../measure/index.ts";
import { checkCancelled, type Feeds, type OpenSession, type Session, type SessionOptions } from "../runtime/index.ts";
import { classesOf, type Prunable, without } from "./prunable.ts";
import type { Rounding } from "./rounding.ts";

/** One pruned model that was timed. */
export interface PruneTrial {
  readonly round: Rounding;
  /** How many classes of each width that can be narrowed go. */
  readonly counts: readonly number[];
  /** Widths that are narrower, and the share of the multiply-accumulates that is left. */
  readonly narrowed: number;
  readonly macs: number;
  /** The original is A. */
  readonly latency: LatencyComparison;
}

export interface RaceOptions {
  readonly open: OpenSession;
  /** Where the models are to run. */
  readonly session?: SessionOptions;
  /** What is timed. */
  readonly feeds: Feeds;
  /** What results are timed against, where that is another model than the one that is pruned. */
  readonly original?: Model;
  /** Models that are timed, at most; 12 by default. */
  readonly measurements?: number;
  /** Seconds of each at most; 2 by default. */
  readonly seconds?: number;
  readonly signal?: AbortSignal;
  readonly onTrial?: (trial: PruneTrial) => void;
}

export const raceOptionsNames = {
  open: true,
  session: true,
  feeds: true,
  original: true,
  measurements: true,
  seconds: true,
  signal: true,
  onTrial: true,
} as const;

/** The original, open. */
export interface Race extends AsyncDisposable {
  readonly found: Prunable;
  readonly trials: readonly PruneTrial[];
  /** One that was timed before is not timed again; `undefined` where no measurement is left. */
  time(counts: readonly number[], round: Rounding): Promise<PruneTrial | undefined>;
}

/** Bytes of a weight, for models whose files are not known. */
const FLOAT = 4;

/** Opens the original. */
export async function openRace(found: Prunable, options: RaceOptions, seed: number): Promise<Race> {
  const { open, session = {}, measurements = 12, seconds = 2, feeds, signal, onTrial } = options;
  const stock = { ...session, stock: true };
  const original = await openReplicated(open, options.original ?? found.model, FLOAT * found.cost.params, stock);
  const trials: PruneTrial[] = [];
  return {
    found,
    trials,
    async time(counts, round) {
      const known = trials.find((trial) => trial.counts.every((count, i) => count === counts[i]));
      if (known || trials.length >= measurements) return known;
      checkCancelled(signal);
      const { model, report } = without(found, classesOf(found, counts));
      await using cut = await openReplicated(open, model, FLOAT * report.parameters.after, stock);
      const latency = await compareLatency(sessionsOf(original), sessionsOf(cut), feeds, {
        ...{ seconds, seed, horizon: HORIZON },
        ...(signal && { signal }),
      });
      const { macs, widths } = report;
      const narrowed = widths.filter(({ before, after }) => after < before).length;
      const trial = { round, counts, narrowed, macs: macs.after / macs.before, latency };
      trials.push(trial);
      onTrial?.(trial);
      return trial;
    },
    [Symbol.asyncDispose]: () => Promise.resolve(original[Symbol.asyncDispose]()),
  };
}

function sessionsOf({ session, replicas }: Replicated): readonly Session[] {
  return [session, ...replicas];
}
