/** @file Layer-adaptive magnitudes: a position's share of what is not smaller than it. */
import { type Criterion, perRow } from "../criterion.ts";

export const lamp: Criterion = {
  name: "lamp",
  summary:
    "squared norm over the sum of those that are not smaller (Lee et al., arXiv:2010.07611); for ranking layers together",
  scores(weights) {
    const squares = perRow(weights, (row) => {
      let sum = 0;
      for (const weight of row) sum += weight * weight;
      return sum;
    });
    const order = new Uint32Array(squares.length)
      .map((_, i) => i)
      .sort((a, b) => (squares[b] ?? 0) - (squares[a] ?? 0));
    const scores = new Float64Array(squares.length);
    let rest = 0;
    for (const i of order) {
      const own = squares[i] ?? 0;
      rest += own;
      scores[i] = rest === 0 ? 0 : own / rest;
    }
    return scores;
  },
};
