/** @file A window at a random place of the padded picture, as in He et al. (2015), arXiv:1512.03385, section 4.2. */
import { checkCount, checkOptions, type OptionNames } from "../../options.ts";
import { member, number, numbers } from "../../settings/index.ts";
import { ownRecipe } from "../recipe.ts";
import type { Augmentation } from "./augmentation.ts";
import { type Picture, withValues } from "./picture.ts";

export interface RandomCropOptions {
  /** Pixels that are added on each side; 4 by default. */
  readonly padding?: number;
  /** The value of the added pixels, or one per channel; 0 by default, the mean colour of normalised pictures. */
  readonly fill?: number | readonly number[];
}

const randomCropOptionsNames: OptionNames<RandomCropOptions> = { padding: true, fill: true };

/** Moves the picture by up to `padding` pixels each way. */
export function randomCrop(options: RandomCropOptions = {}): Augmentation {
  checkOptions(options, randomCropOptionsNames);
  const { padding = 4, fill = 0 } = options;
  checkCount("padding", padding, { least: 0 });
  const colour = (channel: number) => (typeof fill === "number" ? fill : (fill[channel] ?? 0));
  return {
    name: "randomCrop",
    recipe: ownRecipe("randomCrop", options),
    apply: (picture, source) =>
      moved(picture, source.below(2 * padding + 1) - padding, source.below(2 * padding + 1) - padding, colour),
  };
}

/** The picture moved to the right and down, in its old frame. */
function moved(picture: Picture, right: number, down: number, colour: (channel: number) => number): Picture {
  if (right === 0 && down === 0) return picture;
  const { channels, height, width, values } = picture;
  const result = new Float32Array(values.length);
  const [from, to] = [Math.max(0, right), Math.min(width, width + right)];
  for (let row = 0; row < channels * height; row++) {
    const channel = Math.floor(row / height);
    const y = row - channel * height - down;
    const start = row * width;
    result.fill(colour(channel), start, start + width);
    if (y < 0 || y >= height || from >= to) continue;
    const line = (channel * height + y) * width;
    result.set(values.subarray(line + from - right, line + to - right), start + from);
  }
  return withValues(picture, result);
}

member(randomCrop, { padding: number(), fill: number().or(numbers()) });
