/**
 * @file Lion: Chen et al., "Symbolic discovery of optimization algorithms" (2023), arXiv:2302.06675.
 *
 * w ← (1 − ηλ)w − η·sign(β₁m + (1 − β₁)g), then m ← β₂m + (1 − β₂)g.
 */
import { must } from "../../checked.ts";
import type { Value } from "../../ir/index.ts";
import { checkOptions, type OptionNames } from "../../options.ts";
import { member, number, pair } from "../../settings/index.ts";
import { dtypeOf, type StepBuilder } from "../step/step-builder.ts";
import { decayed, type Optimizer, zerosLike } from "./optimizer.ts";
import { checkFactor } from "./settings.ts";

export interface LionOptions {
  readonly betas?: readonly [number, number];
  readonly weightDecay?: number;
}

const lionOptionsNames: OptionNames<LionOptions> = { betas: true, weightDecay: true };

export function lion(options: LionOptions = {}): Optimizer {
  const { betas = [0.9, 0.99], weightDecay = 0 } = checkOptions(options, lionOptionsNames);
  const [beta1, beta2] = betas;
  checkFactor("betas[0]", beta1);
  checkFactor("betas[1]", beta2);
  checkFactor("weightDecay", weightDecay, Number.POSITIVE_INFINITY);
  const blend = (g: StepBuilder, mean: Value, gradient: Value, beta: number) =>
    g.add(g.mul(mean, beta), g.mul(gradient, 1 - beta));
  return {
    name: "lion",
    init: (parameter) => new Map([["mean", zerosLike(parameter)]]),
    update(g, inputs) {
      const { gradient, learningRate, state } = inputs;
      const mean = must(state, "mean");
      const direction = sign(g, blend(g, mean, gradient, beta1));
      return {
        parameter: g.sub(decayed(g, inputs, weightDecay), g.mul(direction, learningRate)),
        state: new Map([["mean", blend(g, mean, gradient, beta2)]]),
      };
    },
  };
}

/** The `Sign` operator is slow on the CPU and absent on WebGPU. */
function sign(g: StepBuilder, x: Value): Value {
  const zero = g.number(0, dtypeOf(x));
  return g.sub(g.mask(g.greater(x, zero), dtypeOf(x)), g.mask(g.less(x, zero), dtypeOf(x)));
}

member(lion, { betas: pair(), weightDecay: number() });
