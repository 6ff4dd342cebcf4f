/** @file What the mixtures of a network need in training, and what is measured of them. */
import { mainOutputs, mixtureProbe, moeMeasures, moeTraining } from "../../conditional/index.ts";
import type { Model } from "../../ir/index.ts";
import type { FitOptions } from "../../train/index.ts";

/**
 * The losses and moving biases of the gates, which are no prediction; their routing is measured at evaluations, if there are any. Nothing
 * for other networks.
 */
export function mixtureOptions(
  model: Model,
  { evaluate, output }: Pick<FitOptions, "evaluate" | "output">,
): Pick<FitOptions, "terms" | "carry" | "probes" | "output"> {
  const { terms, carry } = moeTraining(model);
  const [answer] = mainOutputs(model);
  const isFirst = model.graph.outputs[0]?.name === answer;
  const isMeasured = evaluate !== undefined && moeMeasures(model).length > 0;
  return {
    ...(output === undefined && answer !== undefined && !isFirst && { output: answer }),
    ...(terms.length > 0 && { terms }),
    ...(Object.keys(carry).length > 0 && { carry }),
    ...(isMeasured && { probes: [mixtureProbe()] }),
  };
}
