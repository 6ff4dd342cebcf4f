/** @file Adam, as torch.optim.Adam: Kingma and Ba (2014), arXiv:1412.6980; weight decay is an L2 penalty. */
import { checkOptions, type OptionNames } from "../../options.ts";
import { member } from "../../settings/index.ts";
import { initMoments, type MomentOptions, momentDirection, momentKinds, momentSettings } from "./moments.ts";
import { type Optimizer, penalised } from "./optimizer.ts";

const momentOptionsNames: OptionNames<MomentOptions> = { betas: true, epsilon: true, weightDecay: true };

export function adam(options: MomentOptions = {}): Optimizer {
  checkOptions(options, momentOptionsNames);
  const settings = momentSettings(options, { betas: [0.9, 0.999], epsilon: 1e-8, weightDecay: 0 });
  return {
    name: "adam",
    init: initMoments,
    update(g, inputs) {
      const { parameter, learningRate } = inputs;
      const gradient = penalised(g, inputs, settings.weightDecay);
      const { ratio, factor, state } = momentDirection(g, { ...inputs, gradient }, settings);
      const size = g.shared(`step size ${factor.name} ${learningRate.name}`, () => g.mul(factor, learningRate));
      return { parameter: g.sub(parameter, g.mul(ratio, size)), state };
    },
  };
}

member(adam, momentKinds);
