/** @file Doubts about an accuracy: labels or preprocessing that are not the network's. */
import type { PairedAccuracy } from "./class-answers.ts";
import { wilsonInterval } from "./statistics.ts";

/** Something that the reader of figures should know; `code` is stable. */
export interface Warning {
  readonly code: string;
  readonly message: string;
}

const CAUSES =
  "the preset or the preprocessing is not that of the training (range, mean, order of channels), or the labels belong to other classes (shifted by one, in another order)";

/** What speaks against the accuracy of A: it is no better than chance, or far below what A's own answers claim. */
export function doubtsAbout(accuracy: PairedAccuracy): Warning[] {
  const { a, n, classes, confidence } = accuracy;
  const [low, high] = wilsonInterval(Math.round(a * n), n);
  const chance = 1 / classes;
  const is = `${percent(a)} of ${n} samples are right (95 % interval ${percent(low)} to ${percent(high)})`;
  if (low <= chance) {
    const few = high >= confidence ? "; more samples may tell otherwise" : "";
    const than = `no better than chance among ${classes} classes (${percent(chance)})`;
    return [{ code: "W_ACCURACY", message: `${is}, ${than}: ${causes(accuracy, high)}${few}` }];
  }
  if (!(high < leastOf(confidence))) return [];
  const than = `though the answers are ${percent(confidence)} sure on average`;
  return [{ code: "W_ACCURACY", message: `${is}, ${than}: ${causes(accuracy, high)}` }];
}

/** The least accuracy that such answers are believed to have: networks are often somewhat surer than right. */
function leastOf(confidence: number): number {
  return Math.max(confidence - 0.3, confidence / 2);
}

function causes({ n, shifted }: PairedAccuracy, high: number): string {
  for (const [by, share] of [
    ["one larger", shifted.up],
    ["one smaller", shifted.down],
  ] as const) {
    const [low] = wilsonInterval(Math.round(share * n), n);
    if (low > high) return `labels that are each ${by} would fit ${percent(share)} of them, so they seem to be shifted`;
  }
  return `likely ${CAUSES}`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
