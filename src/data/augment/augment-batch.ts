/** @file Augmentations applied to the samples of a batch. */
import { nth } from "../../checked.ts";
import type { Sample } from "../dataset.ts";
import { random } from "../random.ts";
import type { Augmentation } from "./augmentation.ts";
import { pictureInput, pictureOf, withPicture } from "./picture.ts";

/** The stream of random numbers for augmentation; epoch and position follow. */
const AUGMENTATION = 0xa6;

export interface AugmentedBatch {
  /** Of each sample in its dataset. */
  readonly positions: readonly number[];
  readonly seed: number;
  readonly epoch: number;
}

/**
 * The samples after all augmentations in order. The draws of a sample depend on the seed, the epoch and its position in
 * the dataset alone; the partner that it is mixed with is the next sample of the batch.
 */
export function augmentBatch(
  samples: readonly Sample[],
  augmentations: readonly Augmentation[],
  { positions, seed, epoch }: AugmentedBatch,
): Sample[] {
  const inputs = samples.map(pictureInput);
  const sources = positions.map((position) => random(seed, AUGMENTATION, epoch, position));
  let pictures = samples.map((sample, i) => pictureOf(sample, nth(inputs, i)));
  for (const { apply } of augmentations) {
    pictures = pictures.map((picture, i) => apply(picture, nth(sources, i), nth(pictures, (i + 1) % pictures.length)));
  }
  return samples.map((sample, i) => withPicture(sample, nth(inputs, i), nth(pictures, i)));
}
