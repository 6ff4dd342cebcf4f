/** @file Bounds on a comparison, and the comparison in words. */

import type * as z from "zod";
import { BoundError, UsageError } from "../../errors.ts";
import { type Comparison, lossyFaults } from "../../measure/index.ts";
import {
  formatBytes,
  formatChange,
  formatNumber,
  formatPercent,
  formatSpeed,
  formatSpread,
  formatTimes,
  formatWaiting,
} from "../../report/index.ts";
import { between, flag, setting } from "../../settings/index.ts";
import type { Console } from "../console.ts";

/** What the result of a command may differ by from its original and still be written; the error is the largest ‖a − b‖ / ‖a‖ of any output. */
export function boundSettings(largestError?: number) {
  const error = between(0, 1e6);
  return {
    maxDrop: setting("--max-drop <share>", "accuracy that may be lost (needs labels)", between(0, 1).exactOptional()),
    minAgreement: setting(
      "--min-agreement <share>",
      "share of answers (or cosine) that must agree",
      between(0, 1).exactOptional(),
    ),
    allowError: setting(
      "--allow-error <error>",
      "relative error that every output may have",
      largestError === undefined ? error.exactOptional() : error.default(largestError).exactOptional(),
    ),
    allowNotFinite: setting(
      "--allow-not-finite",
      "outputs may be infinite or NaN where those of the original are not",
      flag().exactOptional(),
    ),
  };
}

export type Bounds = z.output<z.ZodObject<ReturnType<typeof boundSettings>>>;

/** An output of zeros is as far from the original. */
const NOTHING_LEFT = 1;

/**
 * The bounds of commands that make another network of the same task. One that was trained again, or for which a bound on answers is
 * stated, is judged by its answers; numbers of another scale may stand for the same ones.
 */
export function boundsOfNetwork<B extends Bounds & { readonly finetune?: number }>(bounds: B): B {
  const { allowError, maxDrop, minAgreement, finetune } = bounds;
  const isJudged = maxDrop !== undefined || minAgreement !== undefined || finetune !== undefined;
  return { ...bounds, allowError: allowError ?? (isJudged ? Number.POSITIVE_INFINITY : NOTHING_LEFT) };
}

/** Before any work. @throws UsageError for a bound on accuracy without labels */
export function requireLabels({ maxDrop }: Bounds, hasLabels: boolean): void {
  if (maxDrop === undefined || hasLabels) return;
  throw new UsageError("--max-drop needs labels", { hint: "Give --labels, or use --min-agreement." });
}

/** Sentences about the stated bounds that a comparison breaks. */
export function brokenBounds({ accuracy, agreement }: Comparison, bounds: Bounds): string[] {
  const { maxDrop, minAgreement, allowError = Number.POSITIVE_INFINITY, allowNotFinite = false } = bounds;
  const broken = lossyFaults(agreement, { relative: allowError, notFinite: allowNotFinite });
  if (maxDrop !== undefined) {
    requireLabels({ maxDrop }, accuracy !== undefined);
    const drop = accuracy!.a - accuracy!.b;
    if (!(drop <= maxDrop)) broken.push(`accuracy falls by ${formatPercent(drop)}, bound ${formatPercent(maxDrop)}`);
  }
  const same = 1 - agreement.lost;
  if (minAgreement !== undefined && !(same >= minAgreement)) {
    broken.push(`agreement is ${formatPercent(same)}, bound ${formatPercent(minAgreement)}`);
  }
  return broken;
}

/** Which file was written, or why it was not. */
export function outcomeOf(
  out: string,
  broken: readonly string[],
): { readonly file: string } | { readonly error: BoundError } {
  if (broken.length === 0) return { file: out };
  const hint = "Other bounds can be stated: --max-drop, --min-agreement, --allow-error, --allow-not-finite.";
  return { error: new BoundError(`${out} was not written`, { got: broken.join("; "), hint }) };
}

/** The same as a line. */
export function outcomeLine(out: string, broken: readonly string[]): string {
  const outcome = outcomeOf(out, broken);
  return "file" in outcome ? `model:  ${outcome.file}` : String(outcome.error);
}

export function showComparison(
  { size, latency, agreement, accuracy, warnings }: Comparison,
  source: string,
  broken: readonly string[],
  { say }: Console,
): void {
  const { ep, threads, batch } = latency;
  say(`on ${source}; ${ep}, ${threads} thread${threads === 1 ? "" : "s"}, batch ${batch}`);
  say(`size      ${formatBytes(size.a)} → ${formatBytes(size.b)}, ${formatChange(size.ratio, "smaller", "larger")}`);
  say(`latency   ${formatTimes(latency)}: ${formatSpeed(latency)} (${formatSpread(latency)})`);
  const waiting = formatWaiting(latency);
  if (waiting !== undefined) say(`          ${waiting}`);
  const top1 = agreement.top1 === undefined ? "" : `same answer ${formatPercent(agreement.top1)}, `;
  say(
    `agreement ${top1}cosine ${formatNumber(agreement.cosine)}, relative error ${formatNumber(agreement.relative)}, largest ${formatNumber(agreement.maxAbs)} (${agreement.build})`,
  );
  for (const note of notesOn(agreement)) say(note);
  if (accuracy) say(`accuracy  ${accuracyInWords(accuracy)}`);
  for (const { code, message } of warnings) say(`${code}: ${message}`);
  for (const sentence of broken) say(`BROKEN: ${sentence}`);
}

/** `90.00 % → 89.00 % (900 → 890 of 1000; change -2.10 % to 0.10 %, 95 % interval)`. */
function accuracyInWords({ a, b, n, interval }: NonNullable<Comparison["accuracy"]>): string {
  const [low, high] = [-interval[1], -interval[0]];
  const counts = [a, b].map((share) => Math.round(share * n));
  const change = `change ${formatPercent(low)} to ${formatPercent(high)}, 95 % interval`;
  return `${formatPercent(a)} → ${formatPercent(b)} (${counts.join(" → ")} of ${n}; ${change})`;
}

/** What the figures leave out, in sentences. */
function notesOn({ perOutput }: Comparison["agreement"]): string[] {
  return perOutput.flatMap(({ name, elements, notFinite }) => {
    const of = `output ${JSON.stringify(name)}`;
    if (elements === 0) return [`${of} is empty, so nothing of it was compared`];
    if (notFinite.a === 0) return [];
    const cured = notFinite.onlyA === 0 ? "" : `; ${notFinite.onlyA} of them are NaN there and numbers in the other`;
    return [`${of} of the original is not finite in ${notFinite.a} of ${elements} elements${cured}`];
  });
}
