/** @file The part of each batch that one of several ranks takes. */
import { nth } from "../../checked.ts";

/** The `index`-th of `count` parts of every batch, in the order of its samples. Their lengths differ by one at most. */
export interface BatchPart {
  readonly index: number;
  readonly count: number;
}

/** The positions that a part takes of those of a batch. Where none is left for it, the first one stands in, which then counts for nothing. */
export function positionsOf(positions: readonly number[], part: BatchPart): readonly number[] {
  const { start, end } = boundsOf(positions.length, part);
  return start === end ? [nth(positions, 0)] : positions.slice(start, end);
}

/** What a part's mean is multiplied with, so that the mean over all parts is that of a batch of so many samples. */
export function shareOf(samples: number, part: BatchPart): number {
  const { start, end } = boundsOf(samples, part);
  return ((end - start) * part.count) / samples;
}

function boundsOf(length: number, { index, count }: BatchPart): { readonly start: number; readonly end: number } {
  return { start: Math.floor((length * index) / count), end: Math.floor((length * (index + 1)) / count) };
}
