/** @file Metrics. One metric is one file and one line in `metrics`; the law iterates over it. */
import { accuracy } from "./accuracy.ts";
import { auroc } from "./auroc.ts";
import { f1 } from "./f1.ts";
import { perplexity } from "./perplexity.ts";
import { topK } from "./top-k.ts";

/** Every metric under its name, with its usual settings when called without any. */
export const metrics = { accuracy, topK, f1, auroc, perplexity } as const;

export type MetricName = keyof typeof metrics;

export type { AurocOptions } from "./auroc.ts";
export { type ConfusionMatrix, type ConfusionOptions, confusionMatrix } from "./confusion-matrix.ts";
export type { F1Options } from "./f1.ts";
export type { Metric, MetricState } from "./metric.ts";
export type { PerplexityOptions } from "./perplexity.ts";
export type { TopKOptions } from "./top-k.ts";
export { accuracy, auroc, f1, perplexity, topK };
