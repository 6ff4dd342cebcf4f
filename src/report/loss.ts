/** @file What a candidate loses. */
import type { ComparisonBlock } from "./facts.ts";

/** Accuracy lost where labels are known, else the share of changed answers, else 1 − cosine. */
export function lossOf({ accuracy, agreement }: Partial<ComparisonBlock>): number | undefined {
  if (accuracy) return accuracy.a - accuracy.b;
  if (!agreement) return undefined;
  return agreement.lost ?? 1 - (agreement.top1 ?? agreement.cosine);
}
