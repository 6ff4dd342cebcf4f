/** @file Mean squared error: mean of (x − y)². */

import { member } from "../../settings/index.ts";
import { type Loss, likePrediction } from "./loss.ts";

export function meanSquaredError(): Loss {
  return {
    name: "meanSquaredError",
    reads: "numbers",
    labels: likePrediction,
    build(g, prediction, labels) {
      const difference = g.sub(prediction, labels);
      return g.mean(g.mul(difference, difference));
    },
  };
}

member(meanSquaredError, {});
