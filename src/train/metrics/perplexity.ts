/** @file Perplexity: e to the mean of −log p of the labels, with p the softmax of the scores. */
import { nth } from "../../checked.ts";
import { checkOptions, type OptionNames } from "../../options.ts";
import type { Metric } from "./metric.ts";
import { rowsOf } from "./rows.ts";

export interface PerplexityOptions {
  /** Where the classes stand; −1 by default, as in sequences of tokens. */
  readonly axis?: number;
  readonly ignoreIndex?: number;
}

const perplexityOptionsNames: OptionNames<PerplexityOptions> = { axis: true, ignoreIndex: true };

export function perplexity(options: PerplexityOptions = {}): Metric {
  const { axis = -1, ignoreIndex } = checkOptions(options, perplexityOptionsNames);
  return {
    name: "perplexity",
    higherIsBetter: false,
    start() {
      let [sum, total] = [0, 0];
      return {
        add(prediction, labels) {
          const rows = rowsOf(prediction, labels, axis, ignoreIndex);
          for (let row = 0; row < rows.count; row++) {
            const label = rows.labels[row]!;
            if (label === ignoreIndex) continue;
            const scores = Array.from({ length: rows.classes }, (_, i) => rows.score(row, i));
            const top = scores.reduce((a, b) => Math.max(a, b));
            sum += top + Math.log(scores.reduce((s, x) => s + Math.exp(x - top), 0)) - nth(scores, label);
            total++;
          }
        },
        value: () => Math.exp(sum / total),
      };
    },
  };
}
