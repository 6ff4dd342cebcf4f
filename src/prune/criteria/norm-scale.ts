/** @file The scale that a norm gives to a channel. */
import { type Criterion, perRow } from "../criterion.ts";

export const normScale: Criterion = {
  name: "norm-scale",
  summary: "magnitude of a normalisation's scale (network slimming; Liu et al., arXiv:1708.06519)",
  scores(weights) {
    const { node, value } = weights.axis;
    if (!node.opType.endsWith("Normalization") || value !== node.inputs[1]) return undefined;
    return perRow(weights, (row) => Math.abs(row[0]!));
  },
};
