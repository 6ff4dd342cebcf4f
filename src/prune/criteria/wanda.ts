/** @file Magnitudes times the norms of what they are multiplied with. */
import { type Criterion, sumPerRow } from "../criterion.ts";

export const wanda: Criterion = {
  name: "wanda",
  summary: "|weight| · norm of its input; single weights compare per output (Sun et al., arXiv:2306.11695)",
  needs: "inputs",
  withinOutputs: true,
  scores: (weights) => sumPerRow(weights, weights.inputNorms, (w, norm) => Math.abs(w) * norm),
};
