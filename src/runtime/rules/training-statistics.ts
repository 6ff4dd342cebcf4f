import { withOwnStatistics } from "./own-statistics.ts";
import type { Rule } from "./rule.ts";

export const trainingStatistics: Rule = {
  goesWrong:
    "BatchNormalization in training mode writes its statistics over those that it was fed with or that are stored",
  rewrite: withOwnStatistics,
};
