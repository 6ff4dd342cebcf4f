/** @file The share of rows whose highest score stands on the label. */
import type { Metric } from "./metric.ts";
import { type TopKOptions, topK } from "./top-k.ts";

export function accuracy(options: Omit<TopKOptions, "k"> = {}): Metric {
  return topK({ ...options, k: 1 });
}
