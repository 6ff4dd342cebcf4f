/** @file Two models side by side: size, latency, agreement, accuracy. */
import { checkOptions, type OptionNames, pickOptions } from "../options.ts";
import { type Agreement, agreementOptionsNames, type Batch, measureAgreement } from "./agreement.ts";
import { compareLatency, type LatencyOptions, type LatencyStats, latencyOptionsNames } from "./latency.ts";
import type { Feeds, Session, SessionProvider } from "./session.ts";

/** Every ratio is A / B: above 1, B is smaller or faster. */
export interface Comparison {
  readonly size: { readonly a: number; readonly b: number; readonly ratio: number };
  readonly latency: {
    readonly ep: SessionProvider;
    readonly threads: number;
    readonly batch: number;
    readonly a: LatencyStats;
    readonly b: LatencyStats;
    readonly ratio: number;
    readonly spread: readonly [number, number];
  };
  readonly agreement: Omit<Agreement, "accuracy">;
  readonly accuracy?: NonNullable<Agreement["accuracy"]>;
}

export interface Contestant {
  readonly session: Session;
  /** Bytes of the model's file, external data included. */
  readonly bytes: number;
}

export interface CompareOptions extends LatencyOptions {
  /** What both sessions were opened with. */
  readonly threads: number;
  /** Samples in `feeds`. */
  readonly batch: number;
  /** What is timed. */
  readonly feeds: Feeds;
  /** What is compared. */
  readonly batches: AsyncIterable<Batch> | Iterable<Batch>;
}

const compareOptionsNames: OptionNames<CompareOptions> = {
  threads: true,
  batch: true,
  feeds: true,
  batches: true,
  ...latencyOptionsNames,
};

/** Measures both sessions, agreement first, so that both are warm when they are timed. */
export async function compareSessions(a: Contestant, b: Contestant, options: CompareOptions): Promise<Comparison> {
  checkOptions(options, compareOptionsNames);
  const { feeds, batches, threads, batch } = options;
  const judged = pickOptions(options, agreementOptionsNames);
  const timed = pickOptions(options, latencyOptionsNames);
  const { accuracy, ...agreement } = await measureAgreement(a.session, b.session, batches, judged);
  const { a: left, b: right, ratio, spread } = await compareLatency(a.session, b.session, feeds, timed);
  return {
    size: { a: a.bytes, b: b.bytes, ratio: a.bytes / b.bytes },
    latency: { ep: a.session.ep, threads, batch, a: left, b: right, ratio, spread },
    agreement,
    ...(accuracy ? { accuracy } : {}),
  };
}
