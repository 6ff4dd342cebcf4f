/** @file A mirrored picture. */
import { checkOptions, type OptionNames } from "../../options.ts";
import { member, number } from "../../settings/index.ts";
import { ownRecipe } from "../recipe.ts";
import { type Augmentation, checkRange } from "./augmentation.ts";
import { type Picture, withValues } from "./picture.ts";

export interface HorizontalFlipOptions {
  /** ½ by default. */
  readonly probability?: number;
}

const horizontalFlipOptionsNames: OptionNames<HorizontalFlipOptions> = { probability: true };

/** Exchanges left and right. */
export function horizontalFlip(options: HorizontalFlipOptions = {}): Augmentation {
  checkOptions(options, horizontalFlipOptionsNames);
  const { probability = 0.5 } = options;
  checkRange("probability", probability, 0, 1);
  return {
    name: "horizontalFlip",
    recipe: ownRecipe("horizontalFlip", options),
    apply: (picture, source) => (source.uniform() < probability ? mirrored(picture) : picture),
  };
}

function mirrored(picture: Picture): Picture {
  const { values, width } = picture;
  const result = values.slice();
  for (let row = 0; row < result.length; row += width) result.subarray(row, row + width).reverse();
  return withValues(picture, result);
}

member(horizontalFlip, { probability: number() });
