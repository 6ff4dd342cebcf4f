/** @file Augmentations. One is one file and one line in `augmentations`; the law iterates over it. */
import { cutmix } from "./cutmix.ts";
import { cutout } from "./cutout.ts";
import { horizontalFlip } from "./horizontal-flip.ts";
import { mixup } from "./mixup.ts";
import { normalise } from "./normalise.ts";
import { randAugment } from "./rand-augment.ts";
import { randomCrop } from "./random-crop.ts";
import { randomErasing } from "./random-erasing.ts";

/** Every augmentation under its name; mixup and cutmix have to be told the number of classes. */
export const augmentations = {
  randomCrop,
  horizontalFlip,
  randAugment,
  mixup,
  cutmix,
  cutout,
  randomErasing,
  normalise,
} as const;

export type AugmentationName = keyof typeof augmentations;

export { type AugmentedBatch, augmentBatch } from "./augment-batch.ts";
export type { Augmentation } from "./augmentation.ts";
export type { CutoutOptions } from "./cutout.ts";
export type { HorizontalFlipOptions } from "./horizontal-flip.ts";
export type { MixOptions } from "./mixed-labels.ts";
export type { NormaliseOptions } from "./normalise.ts";
export type { Picture } from "./picture.ts";
export type { RandAugmentOptions } from "./rand-augment.ts";
export type { RandomCropOptions } from "./random-crop.ts";
export type { RandomErasingOptions } from "./random-erasing.ts";
export { cutmix, cutout, horizontalFlip, mixup, normalise, randAugment, randomCrop, randomErasing };
