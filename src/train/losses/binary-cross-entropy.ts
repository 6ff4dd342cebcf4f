/** @file Binary cross-entropy of logits and targets in [0, 1], as torch.nn.BCEWithLogitsLoss. */
import { checkOptions, type OptionNames } from "../../options.ts";
import { member, number } from "../../settings/index.ts";
import { checkSetting, type Loss, likePrediction, logOnePlusExp } from "./loss.ts";

export interface BinaryCrossEntropyOptions {
  /** Weight of the positive targets. */
  readonly positiveWeight?: number;
}

const binaryCrossEntropyOptionsNames: OptionNames<BinaryCrossEntropyOptions> = { positiveWeight: true };

/** Mean of max(x, 0) − x·y + log(1 + e^(−|x|)). */
export function binaryCrossEntropy(options: BinaryCrossEntropyOptions = {}): Loss {
  const { positiveWeight = 1 } = checkOptions(options, binaryCrossEntropyOptionsNames);
  checkSetting("positiveWeight", positiveWeight, positiveWeight > 0, "above 0");
  return {
    name: "binaryCrossEntropy",
    reads: "shares",
    labels: likePrediction,
    build(g, x, y) {
      const tail = logOnePlusExp(g, x);
      if (positiveWeight === 1) return g.mean(g.add(g.sub(g.relu(x), g.mul(x, y)), tail));
      const weight = g.add(g.mul(y, positiveWeight - 1), 1);
      const positive = g.add(tail, g.relu(g.neg(x)));
      return g.mean(g.add(g.mul(g.sub(1, y), x), g.mul(weight, positive)));
    },
  };
}

member(binaryCrossEntropy, { positiveWeight: number() });
