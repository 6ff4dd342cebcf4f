/** @file Samples and how they are iterated. */
import type { Tensor } from "../ir/index.ts";

/** One input without its batch axis, with its label when there is one. */
export interface Sample {
  readonly inputs: ReadonlyMap<string, Tensor>;
  readonly label?: number;
  /** Where it came from, for reports: a file name or an index. */
  readonly source: string;
}

/** Samples in a fixed order; every iteration starts anew. */
export interface Dataset extends AsyncIterable<Sample> {
  /** Number of samples. */
  readonly size: number;
  /** Names of the classes, where the source has them. */
  readonly classes?: readonly string[];
  /** The samples at the given positions, in that order. */
  pick(positions: readonly number[]): AsyncIterable<Sample>;
}
