/** @file Counts of label against prediction. */
import { nth } from "../../checked.ts";
import type { Tensor } from "../../ir/index.ts";
import { checkOptions, type OptionNames } from "../../options.ts";
import { bestOf, rowsOf } from "./rows.ts";

export interface ConfusionMatrix {
  add(prediction: Tensor, labels: Tensor): void;
  /** `counts[label][predicted]`; empty before anything was added. */
  readonly counts: readonly (readonly number[])[];
}

export interface ConfusionOptions {
  /** Where the classes stand; 1 by default. */
  readonly axis?: number;
  readonly ignoreIndex?: number;
}

const confusionOptionsNames: OptionNames<ConfusionOptions> = { axis: true, ignoreIndex: true };

export function confusionMatrix(options: ConfusionOptions = {}): ConfusionMatrix {
  const { axis = 1, ignoreIndex } = checkOptions(options, confusionOptionsNames);
  const counts: number[][] = [];
  return {
    counts,
    add(prediction, labels) {
      const rows = rowsOf(prediction, labels, axis, ignoreIndex);
      while (counts.length < rows.classes) counts.push(new Array<number>(rows.classes).fill(0));
      for (let row = 0; row < rows.count; row++) {
        const label = rows.labels[row]!;
        if (label !== ignoreIndex) nth(counts, label)[bestOf(rows, row)]!++;
      }
    },
  };
}
