/** @file Cross-entropy of logits and class probabilities, as torch.nn.CrossEntropyLoss with probabilities as targets. */
import { checkOptions, type OptionNames } from "../../options.ts";
import { member, number } from "../../settings/index.ts";
import { checkSetting, classAxis, classProbabilities, type Loss } from "./loss.ts";

export interface SoftCrossEntropyOptions {
  /** ε: the target is (1 − ε)·y + ε/K. Szegedy et al. (2015), arXiv:1512.00567. */
  readonly smoothing?: number;
  /** Where the classes stand; 1 by default. */
  readonly axis?: number;
}

const softCrossEntropyOptionsNames: OptionNames<SoftCrossEntropyOptions> = { smoothing: true, axis: true };

/** Mean over all positions of −Σₖ yₖ·log pₖ, with log p = log-softmax of the prediction: for labels that mixup or cutmix mixed. */
export function softCrossEntropy(options: SoftCrossEntropyOptions = {}): Loss {
  const { smoothing = 0, axis = 1 } = checkOptions(options, softCrossEntropyOptionsNames);
  checkSetting("smoothing", smoothing, smoothing >= 0 && smoothing <= 1, "0 to 1");
  return {
    name: "softCrossEntropy",
    ...classProbabilities(axis),
    build(g, prediction, labels) {
      const { place, classes } = classAxis(prediction, axis);
      const logs = g.op("LogSoftmax", [prediction], { axis: place });
      const target = smoothing === 0 ? labels : g.add(g.mul(labels, 1 - smoothing), smoothing / classes);
      return g.neg(g.mean(g.sum(g.mul(target, logs), [place])));
    },
  };
}

member(softCrossEntropy, { smoothing: number(), axis: number() });
