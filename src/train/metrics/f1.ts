/** @file F1 = 2·precision·recall / (precision + recall), averaged over the classes with equal weight. */
import { checkOptions, type OptionNames } from "../../options.ts";
import { type ConfusionOptions, confusionMatrix } from "./confusion-matrix.ts";
import type { Metric } from "./metric.ts";

export interface F1Options extends ConfusionOptions {
  /** Only this class; absent: the mean over all classes (macro). */
  readonly label?: number;
}

const f1OptionsNames: OptionNames<F1Options> = { label: true, axis: true, ignoreIndex: true };

export function f1(given: F1Options = {}): Metric {
  const { label, ...options } = checkOptions(given, f1OptionsNames);
  return {
    name: "f1",
    higherIsBetter: true,
    start() {
      const matrix = confusionMatrix(options);
      return {
        add: matrix.add,
        value() {
          const { counts } = matrix;
          if (counts.length === 0) return Number.NaN;
          if (label !== undefined) return scoreOf(counts, label);
          return counts.reduce((sum, _, own) => sum + scoreOf(counts, own), 0) / counts.length;
        },
      };
    },
  };
}

/** 2·TP / (2·TP + FP + FN); 0 for a class that neither appears nor is predicted. */
function scoreOf(counts: readonly (readonly number[])[], label: number): number {
  const hits = counts[label]?.[label] ?? 0;
  const actual = counts[label]?.reduce((sum, count) => sum + count, 0) ?? 0;
  const predicted = counts.reduce((sum, row) => sum + (row[label] ?? 0), 0);
  return actual + predicted === 0 ? 0 : (2 * hits) / (actual + predicted);
}
