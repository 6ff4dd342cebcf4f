/**
 * @file Area under the receiver operating characteristic: the probability that a positive scores above a negative, ties
 * one half (Mann-Whitney). Of binary scores against labels 0 and 1, or the mean over classes, each against the rest.
 */
import { floatsOf, numbersOf } from "../../ir/index.ts";
import type { Metric } from "./metric.ts";
import { rowsOf } from "./rows.ts";

export interface AurocOptions {
  /** Where the classes stand; 1 by default. Scores of the dims of the labels are binary. */
  readonly axis?: number;
}

export function auroc({ axis = 1 }: AurocOptions = {}): Metric {
  return {
    name: "auroc",
    higherIsBetter: true,
    start() {
      const scores: number[][] = [];
      const labels: number[] = [];
      return {
        add(prediction, given) {
          if (prediction.dims.length === given.dims.length) {
            append(scores, 0, floatsOf(prediction));
            append([labels], 0, numbersOf(given));
            return;
          }
          const rows = rowsOf(prediction, given, axis);
          append([labels], 0, rows.labels);
          for (let label = 0; label < rows.classes; label++) {
            append(
              scores,
              label,
              Float64Array.from({ length: rows.count }, (_, row) => rows.score(row, label)),
            );
          }
        },
        value() {
          if (scores.length === 1) return area(scores[0]!, (i) => labels[i]! > 0.5);
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

/** NaN where one side is empty. */
function area(scores: readonly number[], isPositive: (i: number) => boolean): number {
  const order = scores.map((_, i) => i).sort((a, b) => scores[a]! - scores[b]!);
  let [rankSum, positives] = [0, 0];
  for (let start = 0; start < order.length; ) {
    let end = start;
    while (end < order.length && scores[order[end]!] === scores[order[start]!]) end++;
    const rank = (start + 1 + end) / 2;
    for (let at = start; at < end; at++) {
      if (!isPositive(order[at]!)) continue;
      positives++;
      rankSum += rank;
    }
    start = end;
  }
  const negatives = order.length - positives;
  return (rankSum - (positives * (positives + 1)) / 2) / (positives * negatives);
}
