/** @file What a criterion is: how much each position of an axis of weights matters. */
import type { WeightAxis } from "./weight-axes.ts";

/** Weights as a matrix: one row for each position of the axis, in the order of the axis. */
export interface WeightRows {
  readonly axis: WeightAxis;
  readonly rows: Float32Array;
  readonly count: number;
  readonly width: number;
  /** Of the axis among all: streams of random numbers begin here. */
  readonly index: number;
}

/** One member of the index in `criteria/`. */
export interface Criterion {
  readonly name: string;
  /** In one line, with the paper. */
  readonly summary: string;
  /** A number for each row, larger for what matters more; `undefined` where the criterion says nothing about such weights. */
  scores(weights: WeightRows, seed: number): Float64Array | undefined;
}

/** A number for each row. */
export function perRow(
  { rows, count, width }: WeightRows,
  score: (row: Float32Array, index: number) => number,
): Float64Array {
  return new Float64Array(count).map((_, i) => score(rows.subarray(i * width, (i + 1) * width), i));
}
