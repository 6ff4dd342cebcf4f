/** @file What a ranking is: which classes of which widths go. */
import type { Width } from "./widths.ts";

/** A width that may be cut, with its classes from the least to the most important. */
export interface RankedWidth {
  readonly width: Width;
  readonly ascending: readonly { readonly of: number; readonly importance: number }[];
  /** Most classes that may go. */
  readonly most: number;
}

/** One member of the index in `rankings/`. */
export interface Ranking {
  readonly name: string;
  /** In one line, with the paper. */
  readonly summary: string;
  /** How many of the least important classes of each width go, so that about `ratio` of all do. */
  counts(widths: readonly RankedWidth[], ratio: number): readonly number[];
}

/** The counts of classes below one threshold for all widths. */
export function belowOneThreshold(widths: readonly RankedWidth[], ratio: number): number[] {
  const all = widths.flatMap(({ ascending, most }, i) =>
    ascending.slice(0, most).map(({ importance }) => ({ i, importance })),
  );
  const total = widths.reduce((sum, { ascending }) => sum + ascending.length, 0);
  const counts = widths.map(() => 0);
  for (const { i } of all.sort((a, b) => a.importance - b.importance).slice(0, Math.floor(ratio * total))) counts[i]!++;
  return counts;
}
