/** @file Mean absolute error (L1): mean of |x − y|. */

import { member } from "../../settings/index.ts";
import { type Loss, likePrediction } from "./loss.ts";

export function meanAbsoluteError(): Loss {
  return {
    name: "meanAbsoluteError",
    reads: "numbers",
    labels: likePrediction,
    build: (g, prediction, labels) => g.mean(g.abs(g.sub(prediction, labels))),
  };
}

member(meanAbsoluteError, {});
