/**
 * @file LAMB: You et al., "Large batch optimization for deep learning" (2019), arXiv:1904.00962, algorithm 2.
 *
 * u = m̂/(√v̂ + ε) + λw; w ← w − η·(‖w‖/‖u‖)·u, the ratio 1 where a norm is 0. A parameter that does not decay (a bias,
 * a norm) takes the plain step, ratio 1.
 */
import { checkOptions, type OptionNames } from "../../options.ts";
import { member } from "../../settings/index.ts";
import { dtypeOf } from "../step/step-builder.ts";
import { initMoments, type MomentOptions, momentDirection, momentKinds, momentSettings } from "./moments.ts";
import type { Optimizer } from "./optimizer.ts";

const momentOptionsNames: OptionNames<MomentOptions> = { betas: true, epsilon: true, weightDecay: true };

export function lamb(options: MomentOptions = {}): Optimizer {
  checkOptions(options, momentOptionsNames);
  const settings = momentSettings(options, { betas: [0.9, 0.999], epsilon: 1e-6, weightDecay: 0.01 });
  return {
    name: "lamb",
    init: initMoments,
    update(g, inputs) {
      const { parameter, learningRate, decays } = inputs;
      const { ratio, factor, state } = momentDirection(g, inputs, settings);
      const adapted = g.mul(ratio, factor);
      if (!decays) return { parameter: g.sub(parameter, g.mul(adapted, learningRate)), state };
      const direction = settings.weightDecay === 0 ? adapted : g.add(adapted, g.mul(parameter, settings.weightDecay));
      const weight = g.sqrt(g.sumOfSquares(parameter));
      const length = g.sqrt(g.sumOfSquares(direction));
      const dtype = dtypeOf(parameter);
      const isZero = g.equal(g.mul(weight, length), g.number(0, dtype));
      const trust = g.where(isZero, g.number(1, dtype), g.div(weight, length));
      return { parameter: g.sub(parameter, g.mul(direction, g.mul(trust, learningRate))), state };
    },
  };
}

member(lamb, momentKinds);
