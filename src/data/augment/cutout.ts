/** @file A square without content: DeVries and Taylor, "Improved regularization of convolutional neural networks with cutout" (2017), arXiv:1708.04552. */
import { checkCount, checkOptions, type OptionNames } from "../../options.ts";
import { member, number } from "../../settings/index.ts";
import { ownRecipe } from "../recipe.ts";
import type { Augmentation } from "./augmentation.ts";
import { boxAroundRandomPixel, withBox } from "./box.ts";

export interface CutoutOptions {
  /** Side of the square in pixels; 8 by default. */
  readonly size?: number;
  /** The value inside; 0 by default, the mean colour of normalised pictures. */
  readonly fill?: number;
}

const cutoutOptionsNames: OptionNames<CutoutOptions> = { size: true, fill: true };

/** Fills a square around a random pixel; at the edges a part of it lies outside. */
export function cutout(options: CutoutOptions = {}): Augmentation {
  checkOptions(options, cutoutOptionsNames);
  const { size = 8, fill = 0 } = options;
  checkCount("size", size, { least: 0 });
  return {
    name: "cutout",
    recipe: ownRecipe("cutout", options),
    apply: (picture, source) => withBox(picture, boxAroundRandomPixel(picture, source, size, size), () => fill),
  };
}

member(cutout, { size: number(), fill: number() });
