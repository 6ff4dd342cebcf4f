/**
 * @file Learned step sizes: the scale is a parameter. Esser et al., "Learned Step Size Quantization" (2020), arXiv:1902.08153. Of v = x/s the
 * scale receives round(v) − v inside of the range and the end of it outside, times 1/√(N·Qp) for N weights, or features of a sample,
 * that share it and Qp integers above zero.
 */
import { numbersOf, tensorFromNumbers } from "../../ir/index.ts";
import { leastErrorScale } from "./least-error-scale.ts";
import type { LearnedRange } from "./range.ts";

/**
 * The parameter is the scale as a multiple of where it began, b·v with v = 1 and the gradient of v divided by b²: plain descent moves the scale
 * as in the paper, and an optimizer with steps of its own size, such as Adam, moves it by a share of itself.
 */
export function lsqRange(): LearnedRange {
  return {
    name: "lsq",
    settings: {},
    learn(g, site) {
      const begin = site.weight ? leastErrorScale(site, site.weight) : [...numbersOf(site.scale)];
      const { dims } = site.scale;
      const above = Math.max(1, site.limits.high - site.zeroPoint);
      const base = g.constant(`${site.name}/begin`, tensorFromNumbers("float32", dims, begin));
      const value = g.constant(
        `${site.name}/multiple`,
        tensorFromNumbers(
          "float32",
          dims,
          begin.map(() => 1),
        ),
      );
      const factors = begin.map((scale) => 1 / (Math.sqrt(site.count * above) * scale ** 2));
      const factor = tensorFromNumbers("float32", dims, factors);
      return { scale: g.mul(base, value), isFixed: false, parameters: [{ value, factor }], statistics: [] };
    },
  };
}
