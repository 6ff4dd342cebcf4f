/** @file What a criterion is: how much each row of weights matters. */
import type { WeightSide } from "./weight-axes.ts";

/** What data has to say of the weights before a criterion can speak: the gradients of a loss, or what layers read. */
export type EvidenceKind = "gradients" | "inputs";

/** Weights as a matrix: a row for each position of the axis in its order, or for each part that a granularity cuts. */
export interface WeightRows {
  readonly axis: WeightSide;
  readonly rows: Float32Array;
  readonly count: number;
  readonly width: number;
  /** Of the weight among all: streams of random numbers begin here. */
  readonly index: number;
  /** For criteria that need gradients, as `rows` lies: their mean over the batches, and the mean of their squares. */
  readonly gradients?: Float32Array;
  readonly squaredGradients?: Float32Array;
  /** For criteria that need inputs, as `rows` lies: the root mean square of what each weight is multiplied with, and how much of it is not 0. */
  readonly inputNorms?: Float32Array;
  readonly inputShares?: Float32Array;
}

/** One member of the index in `criteria/`. */
export interface Criterion {
  readonly name: string;
  /** In one line, with the paper. */
  readonly summary: string;
  /** What `gatherEvidence` has to find out first. */
  readonly needs?: EvidenceKind;
  /** Whether single weights compare with those of the same output only. */
  readonly withinOutputs?: boolean;
  /** A number for each row, larger for what matters more; `undefined` where the criterion says nothing about such weights. */
  scores(weights: WeightRows, seed: number): Float64Array | undefined;
}

/** A number for each row. */
export function perRow(
  { rows, count, width }: Pick<WeightRows, "rows" | "count" | "width">,
  score: (row: Float32Array, index: number) => number,
): Float64Array {
  return new Float64Array(count).map((_, i) => score(rows.subarray(i * width, (i + 1) * width), i));
}

/** A sum for each row over its weights and what the evidence says of each; `undefined` without evidence. */
export function sumPerRow(
  { rows, count, width }: WeightRows,
  evidence: Float32Array | undefined,
  part: (weight: number, seen: number) => number,
): Float64Array | undefined {
  if (!evidence) return undefined;
  const sums = new Float64Array(count);
  for (const [i, weight] of rows.entries()) {
    const row = Math.floor(i / width);
    sums[row] = (sums[row] ?? 0) + part(weight, evidence[i] ?? 0);
  }
  return sums;
}
