/** @file Distance to the other filters: what lies near their geometric median can be replaced by them. */
import { type Criterion, perRow } from "../criterion.ts";

export const geometricMedian: Criterion = {
  name: "geometric-median",
  summary: "sum of distances to the other filters of the layer (He et al., arXiv:1811.00250)",
  scores(weights) {
    const { axis, rows, count, width } = weights;
    if (axis.role !== "out" || width < 2) return undefined;
    return perRow(weights, (row) => {
      let total = 0;
      for (let other = 0; other < count; other++) {
        let squares = 0;
        for (let i = 0; i < width; i++) squares += (row[i]! - rows[other * width + i]!) ** 2;
        total += Math.sqrt(squares);
      }
      return total;
    });
  },
};
