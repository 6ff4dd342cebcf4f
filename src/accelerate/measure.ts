/** @file A candidate against the original: agreement first, then interleaved latency. */
import type { Model } from "../ir/index.ts";
import { compareSessions, type OpenSession, type Session, type SessionOptions } from "../runtime/index.ts";
import type { Figures } from "./choose.ts";
import type { MeasuredComparison } from "./result.ts";
import { type Batches, batchOf, type Samples } from "./samples.ts";

export interface Contender {
  readonly session: Session;
  readonly bytes: number;
}

export interface MeasureOptions {
  readonly rounds: number;
  readonly seconds: number;
  readonly threads: number;
  readonly seed: number;
  readonly signal: AbortSignal;
}

async function measure(
  original: Contender,
  candidate: Contender,
  samples: Samples,
  batches: Batches,
  options: MeasureOptions,
): Promise<MeasuredComparison> {
  let n = 0;
  const counted = async function* () {
    for await (const batch of batches()) {
      n += batch.labels?.length ?? batchOf(batch);
      yield batch;
    }
  };
  const comparison = await compareSessions(original, candidate, {
    ...options,
    batch: samples.timedBatch,
    feeds: samples.timed,
    batches: counted(),
  });
  return { ...comparison, n };
}

/** Opens a candidate, measures it and lets it go. */
export async function measureModel(
  open: OpenSession,
  original: Contender,
  { model, bytes }: { readonly model: Model; readonly bytes: number },
  session: SessionOptions,
  samples: Samples,
  batches: Batches,
  options: MeasureOptions,
): Promise<MeasuredComparison> {
  await using opened = await open(model, { ...session, step: "measuring a candidate" });
  return await measure(original, { session: opened, bytes }, samples, batches, options);
}

/** What a candidate loses, by the strictest measure that the data allows. */
export function dropOf({ accuracy, agreement }: Pick<MeasuredComparison, "accuracy" | "agreement">): number {
  if (accuracy) return accuracy.a - accuracy.b;
  return 1 - (agreement.top1 ?? agreement.cosine);
}

/** `dropOf` in words. */
export function measureName({ accuracy, agreement }: Pick<MeasuredComparison, "accuracy" | "agreement">): string {
  if (accuracy) return "accuracy lost";
  return agreement.top1 === undefined ? "1 − cosine of the outputs" : "share of samples with another top answer";
}

export function figuresOf(form: string, comparison: MeasuredComparison): Figures {
  const { size, latency } = comparison;
  return {
    form,
    sizeRatio: size.ratio,
    latencyRatio: latency.ratio,
    latencySpread: latency.spread,
    drop: dropOf(comparison),
  };
}
