/** @file Huber loss: mean of d²/2 where |d| ≤ δ, else δ(|d| − δ/2). Huber (1964); as torch.nn.HuberLoss. */
import { checkOptions, type OptionNames } from "../../options.ts";
import { member, number } from "../../settings/index.ts";
import { checkSetting, type Loss, likePrediction } from "./loss.ts";

export interface HuberOptions {
  /** Where the square turns into a line. */
  readonly delta?: number;
}

const huberOptionsNames: OptionNames<HuberOptions> = { delta: true };

/** With m = min(|d|, δ) both branches are m·(|d| − m/2). */
export function huber(options: HuberOptions = {}): Loss {
  const { delta = 1 } = checkOptions(options, huberOptionsNames);
  checkSetting("delta", delta, delta > 0, "above 0");
  return {
    name: "huber",
    reads: "numbers",
    labels: likePrediction,
    build(g, prediction, labels) {
      const size = g.abs(g.sub(prediction, labels));
      const inner = g.min(size, delta);
      return g.mean(g.mul(inner, g.sub(size, g.mul(inner, 0.5))));
    },
  };
}

member(huber, { delta: number() });
