/** @file What the loss would change by to the second order, its curvature from squared gradients. */
import { type Criterion, sumPerRow } from "../criterion.ts";

export const fisher: Criterion = {
  name: "fisher",
  summary: "½ Σ weight² · E[gradient²], the diagonal of the Fisher information (Theis et al., arXiv:1801.05787)",
  needs: "gradients",
  scores: (weights) => sumPerRow(weights, weights.squaredGradients, (w, f) => 0.5 * w * w * f),
};
