/** @file Focal loss of logits and targets in [0, 1]: Lin et al., "Focal loss for dense object detection", arXiv:1708.02002. */
import { checkOptions, type OptionNames } from "../../options.ts";
import { member, number } from "../../settings/index.ts";
import { dtypeOf } from "../step/step-builder.ts";
import { checkSetting, type Loss, likePrediction, logOnePlusExp } from "./loss.ts";

export interface FocalOptions {
  /** γ: how much less a sample counts that is already right. */
  readonly gamma?: number;
  /** α: the weight of positive targets, 1 − α that of negative ones. Absent: both 1. */
  readonly alpha?: number;
}

const focalOptionsNames: OptionNames<FocalOptions> = { gamma: true, alpha: true };

/** Mean of α_t·(1 − p_t)^γ·(−log p_t), with p_t = p·y + (1 − p)(1 − y) and p = sigmoid(x). */
export function focal(options: FocalOptions = {}): Loss {
  const { gamma = 2, alpha } = checkOptions(options, focalOptionsNames);
  checkSetting("gamma", gamma, gamma >= 0, "at least 0");
  if (alpha !== undefined) checkSetting("alpha", alpha, alpha >= 0 && alpha <= 1, "0 to 1");
  return {
    name: "focal",
    reads: "shares",
    labels: likePrediction,
    build(g, x, y) {
      const entropy = g.add(g.sub(g.relu(x), g.mul(x, y)), logOnePlusExp(g, x));
      const p = g.sigmoid(x);
      const wrong = g.sub(g.add(p, y), g.mul(g.mul(p, y), 2));
      const raised = gamma === 2 ? g.mul(wrong, wrong) : g.pow(wrong, g.number(gamma, dtypeOf(x)));
      const loss = g.mul(raised, entropy);
      return g.mean(alpha === undefined ? loss : g.mul(loss, g.add(g.mul(y, 2 * alpha - 1), 1 - alpha)));
    },
  };
}

member(focal, { gamma: number(), alpha: number() });
