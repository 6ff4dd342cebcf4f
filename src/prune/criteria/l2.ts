/** @file Euclidean norm. */
import { type Criterion, perRow } from "../criterion.ts";

export const l2: Criterion = {
  name: "l2",
  summary: "Euclidean norm of a position's weights",
  scores: (weights) =>
    perRow(weights, (row) => {
      let sum = 0;
      for (const weight of row) sum += weight * weight;
      return Math.sqrt(sum);
    }),
};
