/** @file How often a channel is not zero where it is read. */
import { type Criterion, perRow } from "../criterion.ts";

export const apoz: Criterion = {
  name: "apoz",
  summary: "1 − the average percentage of zeros of a channel where layers read it (Hu et al., arXiv:1607.03250)",
  needs: "inputs",
  scores({ axis, inputShares, count, width }) {
    if (axis.role !== "in" || !inputShares) return undefined;
    return perRow({ rows: inputShares, count, width }, (row) => row.reduce((sum, share) => sum + share, 0) / width);
  },
};
