/** @file A rectangle of another picture: Yun et al., "CutMix" (2019), arXiv:1905.04899. */
import { checkOptions, type OptionNames } from "../../options.ts";
import { member, number } from "../../settings/index.ts";
import { ownRecipe } from "../recipe.ts";
import type { Augmentation } from "./augmentation.ts";
import { areaShare, boxAroundRandomPixel, withBox } from "./box.ts";
import { betaDraw, checkMix, type MixOptions, withMixedLabel } from "./mixed-labels.ts";

const mixOptionsNames: OptionNames<MixOptions> = { classes: true, alpha: true };

/**
 * Puts a rectangle of the next picture of the batch, in the picture's proportions and of the share 1 − λ, around a random pixel, with λ
 * from Beta(α, α) and α = 1 by default. Labels are mixed by the areas that are seen, for a loss like `softCrossEntropy`.
 */
export function cutmix(options: MixOptions): Augmentation {
  checkOptions(options, mixOptionsNames);
  const { classes, alpha = 1 } = options;
  checkMix({ classes, alpha });
  return {
    name: "cutmix",
    recipe: ownRecipe("cutmix", options),
    apply(picture, source, beside) {
      const side = Math.sqrt(1 - betaDraw(source, alpha));
      const [width, height] = [Math.round(side * picture.width), Math.round(side * picture.height)];
      const box = boxAroundRandomPixel(picture, source, width, height);
      const mixed = withBox(picture, box, (index) => beside.values[index]!);
      return withMixedLabel(mixed, beside, 1 - areaShare(picture, box), classes);
    },
  };
}

member(cutmix, { alpha: number(), classes: "given" });
