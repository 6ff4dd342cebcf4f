/** @file The positions of an axis as places of chosen widths: of two choices the larger keeps what the smaller does. */
import type { WidthChoice } from "./width-choices.ts";

/** For each position of an axis the width that decides over it and its rank there: it stays where the rank is below the count. */
export interface Places {
  /** −1 where no choice decides. */
  readonly widths: Int32Array;
  readonly ranks: Int32Array;
}

/** How the classes of an axis fare; `undefined` for an axis that no choice touches. */
export type PlacesOf = (along: Int32Array | undefined) => Places | undefined;

export function placesIn(open: readonly WidthChoice[]): PlacesOf {
  const known = new Map<number, { readonly width: number; readonly rank: number }>();
  for (const [i, { width }] of open.entries())
    for (const [rank, of] of width.classes.entries()) known.set(of, { width: i, rank });
  return (along) => {
    if (!along?.some((of) => known.has(of))) return undefined;
    return {
      widths: along.map((of) => known.get(of)?.width ?? -1),
      ranks: along.map((of) => known.get(of)?.rank ?? -1),
    };
  };
}

/** The share of the positions that stay; 1 of an axis that no choice touches. */
export function shareOf(places: Places | undefined, counts: readonly number[]): number {
  if (!places) return 1;
  const { widths, ranks } = places;
  const staying = widths.reduce((sum, width, i) => sum + (width < 0 || ranks[i]! < counts[width]! ? 1 : 0), 0);
  return staying / widths.length;
}
