/** @file Soft targets: Hinton, Vinyals and Dean, "Distilling the knowledge in a neural network" (2015), arXiv:1503.02531. */
import { checkOptions, type OptionNames } from "../../options.ts";
import { member, number, valuePairs } from "../../settings/index.ts";
import { klDivergence } from "../../train/index.ts";
import {
  checkLogits,
  checkLoss,
  checkTemperature,
  type DistillationLoss,
  dimsOf,
  type PairOptions,
} from "./distillation-loss.ts";

export interface SoftTargetOptions extends Partial<PairOptions> {
  /** T, which softens both distributions; 1 by default. */
  readonly temperature?: number;
  /** Where the classes stand; the last axis by default. */
  readonly axis?: number;
}

export const softTargetOptionsNames: OptionNames<SoftTargetOptions> = {
  temperature: true,
  axis: true,
  pairs: true,
  weight: true,
};

/**
 * T² · KL(softmax(t / T) ‖ softmax(s / T)) of the logits t and s, summed over the classes, mean over all positions. T²
 * keeps the size of the gradient when T changes. Of the predictions, unless pairs of other logits are named.
 */
export function softTargets(options: SoftTargetOptions = {}): DistillationLoss {
  checkOptions(options, softTargetOptionsNames);
  const { temperature = 1, axis = -1, weight = 1, pairs } = options;
  checkLoss("softTargets", options);
  checkTemperature(temperature);
  return {
    name: "softTargets",
    weight,
    ...(pairs && { pairs }),
    build(g, teacher, student) {
      checkLogits("softTargets", teacher, student);
      const place = axis < 0 ? axis + dimsOf(student).length : axis;
      const [t, s] =
        temperature === 1 ? [teacher, student] : [g.div(teacher, temperature), g.div(student, temperature)];
      const divergence = klDivergence({ axis: place }).build(g, s, g.softmax(t, place));
      return g.mul(divergence, temperature ** 2);
    },
  };
}

member(softTargets, { temperature: number(), axis: number(), pairs: valuePairs(), weight: number() });
