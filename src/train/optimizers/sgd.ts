/** @file Stochastic gradient descent with momentum, as torch.optim.SGD: b ← μb + g, then w ← w − η·(b, or g + μb). */
import { checkOptions, type OptionNames } from "../../options.ts";
import { flag, member, number } from "../../settings/index.ts";
import { type Optimizer, penalised, zerosLike } from "./optimizer.ts";
import { checkFactor } from "./settings.ts";

export interface SgdOptions {
  /** μ; 0 (default) keeps no state. */
  readonly momentum?: number;
  /** Looks one step ahead along the momentum. Sutskever et al., "On the importance of initialization and momentum" (2013). */
  readonly nesterov?: boolean;
  /** λ of an L2 penalty: g ← g + λw. */
  readonly weightDecay?: number;
}

const sgdOptionsNames: OptionNames<SgdOptions> = { momentum: true, nesterov: true, weightDecay: true };

export function sgd(options: SgdOptions = {}): Optimizer {
  const { momentum = 0, nesterov = false, weightDecay = 0 } = checkOptions(options, sgdOptionsNames);
  checkFactor("momentum", momentum);
  checkFactor("weightDecay", weightDecay, Number.POSITIVE_INFINITY);
  return {
    name: "sgd",
    init: (parameter) => new Map(momentum === 0 ? [] : [["momentum", zerosLike(parameter)]]),
    update(g, inputs) {
      const { parameter, learningRate, state } = inputs;
      const gradient = penalised(g, inputs, weightDecay);
      const before = state.get("momentum");
      if (!before) return { parameter: g.sub(parameter, g.mul(gradient, learningRate)), state };
      const velocity = g.add(g.mul(before, momentum), gradient);
      const direction = nesterov ? g.add(gradient, g.mul(velocity, momentum)) : velocity;
      return {
        parameter: g.sub(parameter, g.mul(direction, learningRate)),
        state: new Map([["momentum", velocity]]),
      };
    },
  };
}

member(sgd, { momentum: number(), nesterov: flag(), weightDecay: number() });
