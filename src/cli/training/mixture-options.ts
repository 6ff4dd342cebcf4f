/** @file What the mixtures of a network need in training, and what is measured of them. */
import { mixtureProbe, moeMeasures, moeTraining } from "../../conditional/index.ts";
import type { Model } from "../../ir/index.ts";
import type { FitOptions } from "../../train/index.ts";

/** The losses and moving biases of the gates; their routing is measured at evaluations, if there are any. */
export function mixtureOptions(
  model: Model,
  { evaluate }: Pick<FitOptions, "evaluate">,
): Pick<FitOptions, "terms" | "carry" | "probes"> {
  const { terms, carry } = moeTraining(model);
  const isMeasured = evaluate !== undefined && moeMeasures(model).length > 0;
  return {
    ...(terms.length > 0 && { terms }),
    ...(Object.keys(carry).length > 0 && { carry }),
    ...(isMeasured && { probes: [mixtureProbe()] }),
  };
}
