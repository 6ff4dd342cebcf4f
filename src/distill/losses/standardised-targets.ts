/** @file Standardised targets: Sun et al., "Logit standardization in knowledge distillation" (2024), arXiv:2403.01427. */
import type { Value } from "../../ir/index.ts";
import { checkOptions } from "../../options.ts";
import { member, number, valuePairs } from "../../settings/index.ts";
import type { StepBuilder } from "../../train/index.ts";
import { checkLogits, checkLoss, type DistillationLoss, dimsOf } from "./distillation-loss.ts";
import { type SoftTargetOptions, softTargetOptionsNames, softTargets } from "./soft-targets.ts";

/**
 * As `softTargets`, of logits that have mean 0 and deviation 1 over the classes (with one degree of freedom taken off): each sample
 * gets the temperature that its own logits ask for, and the student need not copy the size of the teacher's.
 */
export function standardisedTargets(options: SoftTargetOptions = {}): DistillationLoss {
  checkOptions(options, softTargetOptionsNames);
  checkLoss("standardisedTargets", options);
  const targets = softTargets(options);
  const { axis = -1 } = options;
  return {
    ...targets,
    name: "standardisedTargets",
    build(g, teacher, student, context) {
      checkLogits("standardisedTargets", teacher, student);
      return targets.build(g, standardised(g, teacher, axis), standardised(g, student, axis), context);
    },
  };
}

member(standardisedTargets, { temperature: number(), axis: number(), pairs: valuePairs(), weight: number() });

function standardised(g: StepBuilder, x: Value, axis: number): Value {
  const dims = dimsOf(x);
  const place = axis < 0 ? axis + dims.length : axis;
  const classes = dims[place];
  const centred = g.sub(x, g.mean(x, [place], true));
  const squares = g.sum(g.mul(centred, centred), [place], true);
  const degrees = Math.max(1, Number(classes) - 1);
  return g.div(centred, g.add(g.sqrt(g.div(squares, degrees)), 1e-7));
}
