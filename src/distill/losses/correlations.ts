/** @file Correlations of predictions: Huang et al., "Knowledge distillation from a stronger teacher" (2022), arXiv:2205.10536. */
import { atLeast, nth } from "../../checked.ts";
import type { Value } from "../../ir/index.ts";
import { checkOptions, type OptionNames } from "../../options.ts";
import { member, number, valuePairs } from "../../settings/index.ts";
import type { StepBuilder } from "../../train/index.ts";
import {
  checkLogits,
  checkLoss,
  checkTemperature,
  type DistillationLoss,
  type PairOptions,
} from "./distillation-loss.ts";

export interface CorrelationOptions extends Partial<PairOptions> {
  /** T, which softens both distributions; 1 by default. */
  readonly temperature?: number;
  /** β, the factor of the relations between the classes of a sample; 1 by default. */
  readonly between?: number;
  /** γ, the factor of the relations between the samples of a class; 1 by default. */
  readonly within?: number;
}

const correlationOptionsNames: OptionNames<CorrelationOptions> = {
  temperature: true,
  between: true,
  within: true,
  pairs: true,
  weight: true,
};

/**
 * T² · (β · (1 − mean over the samples of ρ(p_t, p_s)) + γ · (1 − mean over the classes of ρ over the batch)), where p = softmax(x / T) of
 * logits [N, classes] and ρ is Pearson's correlation: what matters is which classes are likelier than others, not by how much. (DIST)
 */
export function correlations(options: CorrelationOptions = {}): DistillationLoss {
  checkOptions(options, correlationOptionsNames);
  const { temperature = 1, between = 1, within = 1, weight = 1, pairs } = options;
  checkLoss("correlations", options);
  checkTemperature(temperature);
  return {
    name: "correlations",
    weight,
    ...(pairs && { pairs }),
    build(g, teacher, student) {
      checkLogits("correlations", teacher, student);
      const [p, q] = atLeast(
        [teacher, student].map((x) => g.softmax(g.div(x, temperature), 1)),
        2,
      );
      const gaps = [g.mul(gap(g, p, q, 1), between), g.mul(gap(g, p, q, 0), within)];
      return g.mul(g.add(nth(gaps, 0), nth(gaps, 1)), temperature ** 2);
    },
  };
}

member(correlations, {
  temperature: number(),
  between: number(),
  within: number(),
  pairs: valuePairs(),
  weight: number(),
});

/** 1 − the mean correlation along an axis. */
function gap(g: StepBuilder, a: Value, b: Value, axis: number): Value {
  const [x, y] = atLeast(
    [a, b].map((value) => g.sub(value, g.mean(value, [axis], true))),
    2,
  );
  const product = g.sum(g.mul(x, y), [axis]);
  const lengths = [x, y].map((value) => g.max(g.sqrt(g.sum(g.mul(value, value), [axis])), 1e-8));
  return g.sub(1, g.mean(g.div(product, g.mul(nth(lengths, 0), nth(lengths, 1)))));
}
