/** @file Bounds on a comparison, and the comparison in words. */
import { UsageError } from "../errors.ts";
import {
  formatBytes,
  formatChange,
  formatMilliseconds,
  formatNumber,
  formatPercent,
  formatRatio,
} from "../report/index.ts";
import type { Comparison } from "../runtime/index.ts";
import type { Console } from "./command.ts";

export interface Bounds {
  readonly maxDrop?: number;
  readonly minAgreement?: number;
}

/** Before any work. @throws UsageError for a bound on accuracy without labels */
export function requireLabels({ maxDrop }: Bounds, hasLabels: boolean): void {
  if (maxDrop === undefined || hasLabels) return;
  throw new UsageError("--max-drop needs labels", { hint: "Give --labels, or use --min-agreement." });
}

/** Sentences about the stated bounds that a comparison breaks. */
export function brokenBounds({ accuracy, agreement }: Comparison, { maxDrop, minAgreement }: Bounds): string[] {
  const broken: string[] = [];
  if (maxDrop !== undefined) {
    requireLabels({ maxDrop }, accuracy !== undefined);
    const drop = accuracy!.a - accuracy!.b;
    if (!(drop <= maxDrop)) broken.push(`accuracy falls by ${formatPercent(drop)}, bound ${formatPercent(maxDrop)}`);
  }
  const same = agreement.top1 ?? agreement.cosine;
  if (minAgreement !== undefined && !(same >= minAgreement)) {
    broken.push(`agreement is ${formatPercent(same)}, bound ${formatPercent(minAgreement)}`);
  }
  return broken;
}

export function showComparison(
  { size, latency, agreement, accuracy }: Comparison,
  source: string,
  broken: readonly string[],
  { say }: Console,
): void {
  const { a, b, ratio, spread, ep, threads, batch } = latency;
  say(`on ${source}; ${ep}, ${threads} thread${threads === 1 ? "" : "s"}, batch ${batch}`);
  say(`size      ${formatBytes(size.a)} → ${formatBytes(size.b)}, ${formatChange(size.ratio, "smaller", "larger")}`);
  say(
    `latency   ${formatMilliseconds(a.p50)} → ${formatMilliseconds(b.p50)}, ${formatChange(ratio, "faster", "slower")} (ratio ${spread.map(formatRatio).join(" to ")})`,
  );
  const top1 = agreement.top1 === undefined ? "" : `same answer ${formatPercent(agreement.top1)}, `;
  say(
    `agreement ${top1}cosine ${formatNumber(agreement.cosine)}, relative error ${formatNumber(agreement.relative)}, largest ${formatNumber(agreement.maxAbs)}`,
  );
  if (accuracy) say(`accuracy  ${formatPercent(accuracy.a)} → ${formatPercent(accuracy.b)} (n = ${accuracy.n})`);
  for (const sentence of broken) say(`BROKEN: ${sentence}`);
}
