/** @file A candidate against the original: agreement first, then interleaved latency. */
import type { Deadline } from "../deadline.ts";
import type { Model } from "../ir/index.ts";
import {
  type Contestant,
  compareSessions,
  dependsOnData,
  isFloat,
  lossyFaults,
  openReplicated,
  roundingFaults,
  timedInputs,
  withMaskProbes,
} from "../measure/index.ts";
import type { OpenSession, SessionOptions } from "../runtime/index.ts";
import type { Figures } from "./choose.ts";
import type { MeasuredComparison } from "./result.ts";
import type { Batches, Samples } from "./samples.ts";

/** What candidates are compared with. */
export interface Reference extends Contestant {
  readonly dependsOnData: boolean;
}

export interface MeasureOptions {
  readonly rounds: number;
  readonly seconds: number;
  readonly warmup: number;
  readonly threads: number;
  readonly seed: number;
  readonly signal: AbortSignal;
  readonly deadline: Deadline;
}

/** Opens a candidate, measures it and lets it go. */
export async function measureModel(
  open: OpenSession,
  original: Reference,
  { model, bytes }: { readonly model: Model; readonly bytes: number },
  session: SessionOptions,
  samples: Samples,
  batches: Batches,
  options: MeasureOptions,
): Promise<MeasuredComparison> {
  const step = { ...session, step: "measuring a candidate" };
  await using opened = await openReplicated(open, model, bytes, step);
  const timed = await timedInputs(batches(), original.dependsOnData || dependsOnData(model));
  const comparison = await compareSessions(
    original,
    { ...opened, bytes },
    {
      ...options,
      batch: samples.timedBatch,
      feeds: timed.map(({ feeds }) => feeds),
      batches: withMaskProbes(batches()),
    },
  );
  return { ...comparison, n: comparison.agreement.n };
}

/** What a candidate loses, by the strictest measure that the data allows. */
export function dropOf({ accuracy, agreement }: Pick<MeasuredComparison, "accuracy" | "agreement">): number {
  if (accuracy) return accuracy.a - accuracy.b;
  return agreement.lost;
}

/** `dropOf` in words. */
export function measureName({ accuracy, agreement }: Pick<MeasuredComparison, "accuracy" | "agreement">): string {
  if (accuracy) return "accuracy lost";
  const kinds = new Set(
    agreement.perOutput.map((output) =>
      output.top1 !== undefined ? "classes" : isFloat(output) ? "numbers" : "exact",
    ),
  );
  const [kind] = kinds;
  if (kinds.size > 1 || kind === undefined)
    return "the worst of the outputs: other classes, 1 − cosine, or other elements";
  return lossNames[kind];
}

const lossNames = {
  classes: "share of samples with another top answer",
  numbers: "1 − cosine of the outputs",
  exact: "share of elements that differ",
} as const;

/** How a form is judged: against the model that it was made from, with the largest error that is allowed. */
export interface Judging {
  readonly original: Model;
  /** Whether the form should do no more than round. */
  readonly rounds: boolean;
  readonly maxError: number;
}

export function figuresOf(form: string, comparison: MeasuredComparison, judging: Judging): Figures {
  const { size, latency, agreement } = comparison;
  const { rounds, original, maxError } = judging;
  const faults = rounds ? roundingFaults(agreement, original) : lossyFaults(agreement, { relative: maxError });
  return {
    form,
    sizeRatio: size.ratio,
    latencyRatio: latency.ratio,
    latencySpread: latency.spread,
    rounds: latency.rounds * latency.sessions,
    drop: dropOf(comparison),
    faults,
  };
}

/** Slower, or larger without being faster: folded constants can take more room than what they were made of. */
export function isWorse({ latency, size }: Pick<MeasuredComparison, "latency" | "size">): boolean {
  return latency.spread[1] < 1 || (size.ratio < 0.99 && latency.spread[0] <= 1);
}
