/** @file AdamW, as torch.optim.AdamW: Adam with w ← (1 − ηλ)w instead of a penalty. Loshchilov and Hutter, arXiv:1711.05101. */
import { checkOptions, type OptionNames } from "../../options.ts";
import { member } from "../../settings/index.ts";
import { initMoments, type MomentOptions, momentDirection, momentKinds, momentSettings } from "./moments.ts";
import { decayed, type Optimizer } from "./optimizer.ts";

const momentOptionsNames: OptionNames<MomentOptions> = { betas: true, epsilon: true, weightDecay: true };

export function adamw(options: MomentOptions = {}): Optimizer {
  checkOptions(options, momentOptionsNames);
  const settings = momentSettings(options, { betas: [0.9, 0.999], epsilon: 1e-8, weightDecay: 0.01 });
  return {
    name: "adamw",
    init: initMoments,
    update(g, inputs) {
      const { ratio, factor, state } = momentDirection(g, inputs, settings);
      const { learningRate } = inputs;
      const size = g.shared(`step size ${factor.name} ${learningRate.name}`, () => g.mul(factor, learningRate));
      return { parameter: g.sub(decayed(g, inputs, settings.weightDecay), g.mul(ratio, size)), state };
    },
  };
}

member(adamw, momentKinds);
