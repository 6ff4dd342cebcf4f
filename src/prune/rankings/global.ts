/** @file One order of all classes of the network. */
import { belowOneThreshold, type Ranking } from "../ranking.ts";

export const global: Ranking = {
  name: "global",
  summary: "one order of all classes of the network: widths of little importance lose more",
  counts: belowOneThreshold,
};
