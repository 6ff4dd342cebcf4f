/** @file Two pictures over each other: Zhang et al., "mixup: beyond empirical risk minimization" (2017), arXiv:1710.09412. */
import { checkOptions, type OptionNames } from "../../options.ts";
import { member, number } from "../../settings/index.ts";
import { ownRecipe } from "../recipe.ts";
import type { Augmentation } from "./augmentation.ts";
import { betaDraw, checkMix, type MixOptions, withMixedLabel } from "./mixed-labels.ts";
import { withValues } from "./picture.ts";

const mixOptionsNames: OptionNames<MixOptions> = { classes: true, alpha: true };

/**
 * λ·x + (1 − λ)·x′ for pictures and labels, with λ from Beta(α, α) for each picture and x′ the next one of the batch; α is 0.2 by
 * default. Labels become probabilities, which a loss like `softCrossEntropy` takes.
 */
export function mixup(options: MixOptions): Augmentation {
  checkOptions(options, mixOptionsNames);
  const { classes, alpha = 0.2 } = options;
  checkMix({ classes, alpha });
  return {
    name: "mixup",
    recipe: ownRecipe("mixup", options),
    apply(picture, source, beside) {
      const share = betaDraw(source, alpha);
      const values = picture.values.map((value, i) => share * value + (1 - share) * beside.values[i]!);
      return withMixedLabel(withValues(picture, values), beside, share, classes);
    },
  };
}

member(mixup, { alpha: number(), classes: "given" });
