/** @file The same share of every width. */
import type { Ranking } from "../ranking.ts";

export const local: Ranking = {
  name: "local",
  summary: "the same share of every width",
  counts: (widths, ratio) => widths.map(({ ascending, most }) => Math.min(most, Math.floor(ratio * ascending.length))),
};
