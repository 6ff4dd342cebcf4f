/** @file What an augmentation is. */
import { UsageError } from "../../errors.ts";
import type { Random } from "../random.ts";
import type { Recipe } from "../recipe.ts";
import type { Picture } from "./picture.ts";

/** A random change of a picture that leaves what is learnt from it. */
export interface Augmentation {
  readonly name: string;
  /** How another thread makes the same; without one, workers refuse it. */
  readonly recipe?: Recipe;
  /**
   * The changed picture, of the same size; the given ones stay as they are. All chance comes from `source`. `beside` is
   * another picture of the batch, as it was before this augmentation, and `picture` itself in a batch of one.
   */
  apply(picture: Picture, source: Random, beside: Picture): Picture;
}

/** A setting that has to lie in a range, with both ends. */
export function checkRange(name: string, value: number, low: number, high: number): void {
  if (value >= low && value <= high) return;
  throw new UsageError(`${name} is out of range`, { expected: `${low} to ${high}`, got: String(value) });
}
