/** @file What a metric is: an accumulator over batches of predictions and labels. */
import type { Tensor } from "../../ir/index.ts";

export interface Metric {
  readonly name: string;
  /** Whether a higher value is better. */
  readonly higherIsBetter: boolean;
  start(): MetricState;
}

export interface MetricState {
  /** `prediction` has the classes on its last axis unless the metric says otherwise. */
  add(prediction: Tensor, labels: Tensor): void;
  /** NaN before anything was added. */
  value(): number;
}
