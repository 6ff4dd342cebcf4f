/**
 * @file Area under the receiver operating characteristic: the probability that a positive scores above a negative, ties
 * one half (Mann-Whitney). Of binary scores against labels 0 and 1, or the mean over classes, each against the rest.
 */
import { nth } from "../../checked.ts";
import { checkLabels, floatsOf, numbersOf } from "../../ir/index.ts";
import { checkOptions, type OptionNames } from "../../options.ts";
import type { Metric } from "./metric.ts";
import { rowsOf } from "./rows.ts";

export interface AurocOptions {
  /** Where the classes stand; 1 by default. Scores of the dims of the labels are binary. */
  readonly axis?: number;
  /** Labels of this value count for nothing. */
  readonly ignoreIndex?: number;
}

const aurocOptionsNames: OptionNames<AurocOptions> = { axis: true, ignoreIndex: true };

export function auroc(options: AurocOptions = {}): Metric {
  const { axis = 1, ignoreIndex } = checkOptions(options, aurocOptionsNames);
  return {
    name: "auroc",
    higherIsBetter: true,
    start() {
      const scores: number[][] = [];
      const labels: number[] = [];
      return {
        add(prediction, given) {
          if (prediction.dims.length === given.dims.length) {
            const targets = numbersOf(given);
            checkLabels(targets, { kind: "shares" }, (row) => `${row} of the batch`);
            append(scores, 0, floatsOf(prediction));
            append([labels], 0, targets);
            return;
          }
          const rows = rowsOf(prediction, given, axis, ignoreIndex);
          const counted = Array.from(rows.labels.keys()).filter((row) => rows.labels[row] !== ignoreIndex);
          append(
            [labels],
            0,
            counted.map((row) => rows.labels[row]!),
          );
          for (let label = 0; label < rows.classes; label++) {
            append(
              scores,
              label,
              counted.map((row) => rows.score(row, label)),
            );
          }
        },
        value() {
          if (scores.length === 1) return area(nth(scores, 0), (i) => nth(labels, i) > 0.5);
          const areas = scores.map((column, label) => area(column, (i) => labels[i] === label));
          const known = areas.filter((x) => !Number.isNaN(x));
          return known.reduce((sum, x) => sum + x, 0) / known.length;
        },
      };
    },
  };
}

function append(columns: number[][], at: number, values: ArrayLike<number>): void {
  columns[at] ??= [];
  for (let i = 0; i < values.length; i++) columns[at].push(values[i]!);
}

/** NaN where one side is empty or a score is no number. */
function area(scores: readonly number[], isPositive: (i: number) => boolean): number {
  if (scores.some(Number.isNaN)) return Number.NaN;
  const order = scores.map((_, i) => i).sort((a, b) => nth(scores, a) - nth(scores, b));
  let [rankSum, positives] = [0, 0];
  for (let start = 0; start < order.length; ) {
    let end = start;
    while (end < order.length && scores[nth(order, end)] === scores[nth(order, start)]) end++;
    const rank = (start + 1 + end) / 2;
    for (let at = start; at < end; at++) {
      if (!isPositive(nth(order, at))) continue;
      positives++;
      rankSum += rank;
    }
    start = end;
  }
  const negatives = order.length - positives;
  return (rankSum - (positives * (positives + 1)) / 2) / (positives * negatives);
}
