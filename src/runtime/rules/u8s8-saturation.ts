import type { Model } from "../../ir/index.ts";
import { hasFullRangeWeights } from "./full-range-weights.ts";
import { withOwnIntegers } from "./own-integers.ts";
import type { Rule, Target } from "./rule.ts";

export const u8s8Saturation: Rule = {
  goesWrong: "uint8 × int8 products saturate in int16 on x64 without VNNI when weights use more than 7 bits",
  rewrite: (model, target) => (maySaturate(model, target) ? withOwnIntegers(model) : model),
  config: (model, target) => (maySaturate(model, target) ? ["session.x64quantprecision", "1"] : undefined),
};

function maySaturate(model: Model, { ep, saturates, stock }: Target): boolean {
  return ep === "cpu" && saturates && !stock && hasFullRangeWeights(model);
}
