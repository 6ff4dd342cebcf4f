/** @file Two models side by side: size, latency, agreement, accuracy. */
import type { Deadline } from "../deadline.ts";
import type { Model } from "../ir/index.ts";
import { checkOptions, type OptionNames, pickOptions } from "../options.ts";
import { type Feeds, judged, type Session, type SessionProvider } from "../runtime/index.ts";
import {
  type Agreement,
  type AgreementOptions,
  agreementOptionsNames,
  type Batch,
  measureAgreement,
} from "./agreement.ts";
import { doubtsAbout, type Warning } from "./doubts.ts";
import { compareLatency, type LatencyComparison, type LatencyOptions, latencyOptionsNames } from "./latency.ts";
import { HORIZON } from "./verdict.ts";

/** Every ratio is A / B: above 1, B is smaller or faster. */
export interface Comparison {
  readonly size: { readonly a: number; readonly b: number; readonly ratio: number };
  readonly latency: {
    readonly ep: SessionProvider;
    readonly threads: number;
    readonly batch: number;
  } & LatencyComparison;
  /** `build`: the package and version that gave B's answers and, in a page, the browser and its adapter. */
  readonly agreement: Omit<Agreement, "accuracy"> & { readonly build: string };
  readonly accuracy?: NonNullable<Agreement["accuracy"]>;
  /** What speaks against the accuracy of A: wrong labels or preprocessing. */
  readonly warnings: readonly Warning[];
}

export interface Contestant {
  readonly session: Session;
  /** Further sessions of the same model, in which it is timed, too (`openReplicas`). */
  readonly replicas?: readonly Session[];
  /** Bytes of the model's file, external data included. */
  readonly bytes: number;
  /** What the session has loaded. With B's, B answers where its provider is judged (`judgeOf`): on `webgpu` in a page, where there is one. */
  readonly model?: Model;
}

export interface CompareOptions extends LatencyOptions {
  /** What both sessions were opened with. */
  readonly threads: number;
  /** Samples in one of `feeds`. */
  readonly batch: number;
  /** What is timed: one batch, or several in turn where the work depends on the data (`dependsOnData`). */
  readonly feeds: Feeds | readonly Feeds[];
  /** What is compared. */
  readonly batches: AsyncIterable<Batch> | Iterable<Batch>;
  /** Ends earlier, at this moment, with the rounds so far; agreement `seconds` before it, with the batches so far. One of each is measured at least. */
  readonly deadline?: Deadline;
}

const compareOptionsNames: OptionNames<CompareOptions> = {
  threads: true,
  batch: true,
  feeds: true,
  batches: true,
  ...latencyOptionsNames,
};

/**
 * Measures both sessions, agreement first, so that both are warm when they are timed.
 *
 * @throws RuntimeError where the build that judges refuses B
 */
export async function compareSessions(a: Contestant, b: Contestant, options: CompareOptions): Promise<Comparison> {
  checkOptions(options, compareOptionsNames);
  const { feeds, batches, threads, batch } = options;
  const { deadline, seconds = Number.POSITIVE_INFINITY } = options;
  const { accuracy, ...agreement } = await agreementOf(a, b, batches, {
    ...pickOptions<AgreementOptions>(options, agreementOptionsNames),
    ...(deadline && { deadline: keeping(deadline, seconds * 1000) }),
  });
  const latency = await compareLatency(sessionsOf(a), sessionsOf(b), feeds, {
    horizon: HORIZON,
    ...pickOptions<LatencyOptions>(options, latencyOptionsNames),
  });
  return {
    size: { a: a.bytes, b: b.bytes, ratio: a.bytes / b.bytes },
    latency: { ep: a.session.ep, threads, batch, ...latency },
    agreement,
    ...(accuracy ? { accuracy } : {}),
    warnings: accuracy ? doubtsAbout(accuracy) : [],
  };
}

function sessionsOf({ session, replicas = [] }: Contestant): readonly Session[] {
  return [session, ...replicas];
}

/** So much earlier, but not before half of what is left has gone by. */
function keeping(deadline: Deadline, milliseconds: number): Deadline {
  const rest = Math.min(milliseconds, Math.max(0, deadline.left()) / 2);
  return { left: () => deadline.left() - rest };
}

async function agreementOf(
  { session: a }: Contestant,
  { session: b, model }: Contestant,
  batches: CompareOptions["batches"],
  options: AgreementOptions,
): Promise<Agreement & { readonly build: string }> {
  await using answering = await judged(b, model, "comparing");
  return { ...(await measureAgreement(a, answering.session, batches, options)), build: answering.build };
}
