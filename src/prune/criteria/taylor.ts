/** @file What the loss would change by to the first order. */
import { type Criterion, sumPerRow } from "../criterion.ts";

export const taylor: Criterion = {
  name: "taylor",
  summary: "(Σ |weight · gradient|)², the loss's change to the first order (Molchanov et al., arXiv:1906.10771)",
  needs: "gradients",
  scores: (weights) => sumPerRow(weights, weights.gradients, (w, g) => Math.abs(w * g))?.map((sum) => sum * sum),
};
