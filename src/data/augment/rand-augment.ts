/** @file Some operations of one strength, drawn from a fixed list: Cubuk et al., "RandAugment" (2019), arXiv:1909.13719. */
import { nth } from "../../checked.ts";
import { checkCount, checkOptions, type OptionNames } from "../../options.ts";
import { member, number, numbers } from "../../settings/index.ts";
import { ownRecipe } from "../recipe.ts";
import { type Augmentation, checkRange } from "./augmentation.ts";
import { type NormaliseOptions, normalise } from "./normalise.ts";
import { pictureOperations } from "./picture-operations.ts";

export interface RandAugmentOptions extends NormaliseOptions {
  /** Operations per picture, one after another; 2 by default. */
  readonly operations?: number;
  /** Strength of all operations, from 0 to 1; 0.3 by default (9 of 30 levels). */
  readonly magnitude?: number;
}

const table = Object.values(pictureOperations);

const randAugmentOptionsNames: OptionNames<RandAugmentOptions> = {
  operations: true,
  magnitude: true,
  mean: true,
  std: true,
};

/**
 * Draws from identity, shear and translation along each axis, rotation, brightness, colour, contrast, sharpness, posterization, solarization, automatic
 * contrast and equalization. Pictures have values from 0 to 1, or were normalised by `mean` and `std`, which are then undone for the operations.
 */
export function randAugment(options: RandAugmentOptions = {}): Augmentation {
  checkOptions(options, randAugmentOptionsNames);
  const { operations = 2, magnitude = 0.3, mean = [0], std = [1] } = options;
  checkCount("operations", operations, { least: 0 });
  checkRange("magnitude", magnitude, 0, 1);
  const channels = Math.max(mean.length, std.length);
  const scales = Array.from({ length: channels }, (_, i) => nth(std, std.length === 1 ? 0 : i));
  const offsets = scales.map((scale, i) => -nth(mean, mean.length === 1 ? 0 : i) / scale);
  const toUnit = normalise({ mean: offsets, std: scales.map((scale) => 1 / scale) });
  const back = normalise({ mean, std });
  return {
    name: "randAugment",
    recipe: ownRecipe("randAugment", options),
    apply(picture, source, beside) {
      if (operations === 0) return picture;
      let changed = toUnit.apply(picture, source, beside);
      for (let i = 0; i < operations; i++) {
        const operation = nth(table, source.below(table.length));
        changed = operation(changed, magnitude, source.below(2) === 0 ? 1 : -1);
      }
      return back.apply(changed, source, beside);
    },
  };
}

member(randAugment, { operations: number(), magnitude: number(), mean: numbers(), std: numbers() });
