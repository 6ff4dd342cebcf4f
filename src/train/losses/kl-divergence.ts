/** @file Kullback-Leibler divergence of the softmax of logits from target probabilities. */
import { checkOptions, type OptionNames } from "../../options.ts";
import { member, number } from "../../settings/index.ts";
import { dtypeOf } from "../step/step-builder.ts";
import { classAxis, classProbabilities, type Loss } from "./loss.ts";

export interface KlDivergenceOptions {
  /** Where the classes stand; 1 by default. */
  readonly axis?: number;
}

const klDivergenceOptionsNames: OptionNames<KlDivergenceOptions> = { axis: true };

/** Mean over all positions of Σₖ yₖ·(log yₖ − log pₖ), with 0·log 0 = 0; the gradient is for the logits. */
export function klDivergence(options: KlDivergenceOptions = {}): Loss {
  const { axis = 1 } = checkOptions(options, klDivergenceOptionsNames);
  return {
    name: "klDivergence",
    ...classProbabilities(axis),
    build(g, prediction, labels) {
      const { place } = classAxis(prediction, axis);
      const logs = g.op("LogSoftmax", [prediction], { axis: place });
      const least = dtypeOf(prediction) === "float16" ? 6e-8 : 1e-37;
      const entropy = g.mul(labels, g.log(g.max(labels, least)));
      return g.mean(g.sum(g.sub(entropy, g.mul(labels, logs)), [place]));
    },
  };
}

member(klDivergence, { axis: number() });
