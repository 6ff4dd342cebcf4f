/** @file Sum of magnitudes. */
import { type Criterion, perRow } from "../criterion.ts";

export const l1: Criterion = {
  name: "l1",
  summary: "sum of magnitudes of a position's weights (Li et al., arXiv:1608.08710)",
  scores: (weights) =>
    perRow(weights, (row) => {
      let sum = 0;
      for (const weight of row) sum += Math.abs(weight);
      return sum;
    }),
};
