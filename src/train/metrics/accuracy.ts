/** @file The share of rows whose highest score stands on the label. */
import { checkOptions, type OptionNames } from "../../options.ts";
import type { Metric } from "./metric.ts";
import { type TopKOptions, topK } from "./top-k.ts";

const accuracyOptionNames: OptionNames<Omit<TopKOptions, "k">> = { axis: true, ignoreIndex: true };

export function accuracy(options: Omit<TopKOptions, "k"> = {}): Metric {
  checkOptions(options, accuracyOptionNames);
  return topK({ ...options, k: 1 });
}
