/** @file A rectangle of noise: Zhong et al., "Random erasing data augmentation" (2017), arXiv:1708.04896. */
import { UsageError } from "../../errors.ts";
import { checkOptions, type OptionNames } from "../../options.ts";
import { choice, member, number, pair } from "../../settings/index.ts";
import type { Random } from "../random.ts";
import { ownRecipe } from "../recipe.ts";
import { type Augmentation, checkRange } from "./augmentation.ts";
import { type Box, withBox } from "./box.ts";
import type { Picture } from "./picture.ts";

export interface RandomErasingOptions {
  /** ½ by default. */
  readonly probability?: number;
  /** Least and largest share of the picture; 0.02 and 0.33 by default. */
  readonly area?: readonly [number, number];
  /** The largest ratio of the sides, either way; 10/3 by default. */
  readonly ratio?: number;
  /** `noise` (default): standard normal numbers, for normalised pictures; or the value inside. */
  readonly fill?: "noise" | number;
}

/** Tries to place a rectangle of a random size; larger than the picture, another one is drawn. */
const TRIES = 10;

const randomErasingOptionsNames: OptionNames<RandomErasingOptions> = {
  probability: true,
  area: true,
  ratio: true,
  fill: true,
};

/** Fills a random rectangle that lies inside the picture. A picture for which ten draws do not fit stays whole. */
export function randomErasing(options: RandomErasingOptions = {}): Augmentation {
  checkOptions(options, randomErasingOptionsNames);
  const { probability = 0.5, area = [0.02, 0.33], ratio = 10 / 3, fill = "noise" } = options;
  checkRange("probability", probability, 0, 1);
  checkRange("area", area[0], 0, area[1]);
  checkRange("area", area[1], area[0], 1);
  if (!(ratio >= 1)) throw new UsageError("ratio is out of range", { expected: "1 or more", got: String(ratio) });
  return {
    name: "randomErasing",
    recipe: ownRecipe("randomErasing", options),
    apply(picture, source) {
      if (source.uniform() >= probability) return picture;
      const box = insideBox(picture, source, area, ratio);
      return box ? withBox(picture, box, () => (fill === "noise" ? source.normal() : fill)) : picture;
    },
  };
}

function insideBox(
  { width, height }: Picture,
  source: Random,
  [least, largest]: readonly [number, number],
  ratio: number,
): Box | undefined {
  for (let i = 0; i < TRIES; i++) {
    const pixels = source.between(least, largest) * width * height;
    const side = Math.exp(source.between(-1, 1) * Math.log(ratio));
    const boxHeight = Math.round(Math.sqrt(pixels * side));
    const boxWidth = Math.round(Math.sqrt(pixels / side));
    if (boxHeight > height || boxWidth > width) continue;
    const left = source.below(width - boxWidth + 1);
    const top = source.below(height - boxHeight + 1);
    return { left, top, right: left + boxWidth, bottom: top + boxHeight };
  }
  return undefined;
}

member(randomErasing, { probability: number(), area: pair(), ratio: number(), fill: choice(["noise"]).or(number()) });
