/** @file One order within widths of one kind. */
import { nth } from "../../checked.ts";
import { belowOneThreshold, type RankedWidth, type Ranking } from "../ranking.ts";

export const isomorphic: Ranking = {
  name: "isomorphic",
  summary: "one order among widths that hang together in the same way (Fang et al., arXiv:2407.04616)",
  counts(widths, ratio) {
    const kinds = new Map<string, number[]>();
    for (const [i, width] of widths.entries()) kinds.set(kindOf(width), [...(kinds.get(kindOf(width)) ?? []), i]);
    const counts = widths.map(() => 0);
    for (const members of kinds.values()) {
      const found = belowOneThreshold(
        members.map((i) => nth(widths, i)),
        ratio,
      );
      for (const [place, i] of members.entries()) counts[i] = nth(found, place);
    }
    return counts;
  },
};

/** The operators whose weights share the width, and where. */
function kindOf({ width }: RankedWidth): string {
  return width.axes
    .map(({ node, axis }) => `${node.opType}:${axis}`)
    .sort()
    .join(" ");
}
