/** @file The scale of weights to begin with: the share of the calibrated one with the least squared error of rounding and clipping. */
import { nth } from "../../checked.ts";
import { floatsOf, numbersOf, type Tensor } from "../../ir/index.ts";
import { grouping, quantizeValue } from "../scheme.ts";
import type { RangeSite } from "./range.ts";

/** Few bits are best spent on a part of the range: of 4 bits on half of it, of 2 on a third. */
const SHARES = Array.from({ length: 17 }, (_, i) => 1 - 0.05 * i);

/** One for each group of weights that shares a scale. */
export function leastErrorScale(site: Pick<RangeSite, "scale" | "limits" | "axis">, weight: Tensor): number[] {
  const { scale, limits, axis } = site;
  const given = [...numbersOf(scale)];
  const reals = floatsOf(weight);
  const { each } = grouping(weight.dims, axis === undefined ? { kind: "tensor" } : { kind: "channel", axis });
  const best = given.map((calibrated) => ({ scale: calibrated, error: Number.POSITIVE_INFINITY }));
  for (const share of SHARES) {
    const errors = new Float64Array(given.length);
    each((i, group) => {
      const parameters = { scale: nth(given, group) * share, zeroPoint: 0 };
      const real = reals[i]!;
      errors[group]! += (real - parameters.scale * quantizeValue(real, parameters, limits)) ** 2;
    });
    for (const [group, error] of errors.entries()) {
      if (error < nth(best, group).error) best[group] = { scale: nth(given, group) * share, error };
    }
  }
  return best.map(({ scale: chosen }) => Math.fround(chosen));
}
