/** @file Values moved and scaled per channel, for pictures whose other augmentations want values from 0 to 1. */
import { UsageError } from "../../errors.ts";
import { checkOptions, type OptionNames } from "../../options.ts";
import { member, numbers } from "../../settings/index.ts";
import { ownRecipe } from "../recipe.ts";
import type { Augmentation } from "./augmentation.ts";
import { withValues } from "./picture.ts";

export interface NormaliseOptions {
  /** One for all channels, or one per channel; 0 by default. */
  readonly mean?: readonly number[];
  /** 1 by default. */
  readonly std?: readonly number[];
}

const normaliseOptionsNames: OptionNames<NormaliseOptions> = { mean: true, std: true };

/** (x − mean) / std. Nothing about it is random, so pictures for evaluation need the same. */
export function normalise(options: NormaliseOptions = {}): Augmentation {
  checkOptions(options, normaliseOptionsNames);
  const { mean = [0], std = [1] } = options;
  if (std.some((value) => !(value > 0))) throw new UsageError("a standard deviation is above 0", { got: `${std}` });
  return {
    name: "normalise",
    recipe: ownRecipe("normalise", options),
    apply(picture) {
      const size = picture.values.length / picture.channels;
      const scaled = picture.values.map((value, i) => {
        const channel = Math.floor(i / size);
        return (value - perChannel(mean, channel)) / perChannel(std, channel);
      });
      return withValues(picture, scaled);
    },
  };
}

function perChannel(values: readonly number[], channel: number): number {
  const value = values[values.length === 1 ? 0 : channel];
  if (value !== undefined) return value;
  throw new UsageError("there is not one value per channel", { expected: `more than ${channel}`, got: `${values}` });
}

member(normalise, { mean: numbers(), std: numbers() });
