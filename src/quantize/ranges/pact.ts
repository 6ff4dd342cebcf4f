/**
 * @file Learned clips: y = clip(x, 0, α), and α receives what lies at it or above, with a decay. Choi et al., "PACT: Parameterized Clipping
 * Activation for Quantized Neural Networks" (2018), arXiv:1805.06085. An activation with values below zero is clipped at −α times the share of the
 * integers there, which the paper has no case for. Weights have the range of their greatest magnitude.
 */
import { numbersOf, tensorFromNumbers } from "../../ir/index.ts";
import { checkOptions, type OptionNames } from "../../options.ts";
import { greatestWeight, minMaxRange } from "./min-max.ts";
import type { LearnedRange } from "./range.ts";
import { checkPositive } from "./settings.ts";

export interface PactRangeOptions {
  /** λ of the penalty λ/2·α² of every clip; 5e-4 by default. */
  readonly decay?: number;
}

const pactRangeOptionsNames: OptionNames<PactRangeOptions> = { decay: true };

/** What the clip itself is rounded to must not count as outside of the integers, whichever way its quotient is rounded. */
const SLACK = 1 + 2 ** -16;

export function pactRange(options: PactRangeOptions = {}): LearnedRange {
  const { decay = 5e-4 } = checkOptions(options, pactRangeOptionsNames);
  checkPositive("decay", decay);
  return {
    name: "pact",
    settings: { decay },
    learn(g, site) {
      if (site.role === "weight") return greatestWeight(g, site);
      const levels = site.limits.high - site.zeroPoint;
      if (levels < 1) return minMaxRange().learn(g, site);
      const [calibrated = 1] = numbersOf(site.scale);
      const begin = Math.fround(calibrated * levels);
      const { dims } = site.scale;
      const base = g.constant(`${site.name}/begin`, tensorFromNumbers("float32", dims, [begin]));
      const value = g.constant(`${site.name}/multiple`, tensorFromNumbers("float32", dims, [1]));
      const end = g.mul(base, value);
      const square = g.sum(g.mul(end, end));
      return {
        scale: g.mul(end, SLACK / levels),
        isFixed: true,
        end,
        parameters: [{ value, factor: tensorFromNumbers("float32", dims, [1 / begin ** 2]) }],
        statistics: [],
        ...(decay > 0 && { penalty: g.mul(square, decay / 2) }),
      };
    },
  };
}
