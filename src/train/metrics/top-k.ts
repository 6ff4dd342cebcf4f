/** @file The share of rows whose label is among the k highest scores; ties count for the label that comes first, scores that are no numbers for none. */
import { checkOptions, type OptionNames } from "../../options.ts";
import type { Metric } from "./metric.ts";
import { rowsOf } from "./rows.ts";

export interface TopKOptions {
  readonly k?: number;
  /** Where the classes stand; 1 by default. */
  readonly axis?: number;
  /** Labels of this value count for nothing. */
  readonly ignoreIndex?: number;
}

const topKOptionsNames: OptionNames<TopKOptions> = { k: true, axis: true, ignoreIndex: true };

export function topK(options: TopKOptions = {}): Metric {
  const { k = 5, axis = 1, ignoreIndex } = checkOptions(options, topKOptionsNames);
  return {
    name: k === 1 ? "accuracy" : `top${k}`,
    higherIsBetter: true,
    start() {
      let [hits, total] = [0, 0];
      return {
        add(prediction, labels) {
          const rows = rowsOf(prediction, labels, axis, ignoreIndex);
          for (let row = 0; row < rows.count; row++) {
            const label = rows.labels[row]!;
            if (label === ignoreIndex) continue;
            total++;
            const own = rows.score(row, label);
            let before = 0;
            for (let other = 0; other < rows.classes; other++) {
              const score = rows.score(row, other);
              const isBehind = score < own || (score === own && other >= label);
              if (!isBehind) before++;
            }
            if (before < k && !Number.isNaN(own)) hits++;
          }
        },
        value: () => hits / total,
      };
    },
  };
}
