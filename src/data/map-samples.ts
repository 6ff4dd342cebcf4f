/** @file A dataset with every sample changed. */
import { nth } from "../checked.ts";
import type { Dataset, Sample } from "./dataset.ts";
import { ownRecipe, type Recipe } from "./recipe.ts";

/** Position is that of the sample in the dataset. One made by `fromRecipe` can be applied by loading threads, too. */
export type SampleTransform = ((sample: Sample, position: number) => Sample | Promise<Sample>) & {
  readonly recipe?: Recipe;
};

/**
 * `transform` applied to each sample when it is read. Since it may change labels, they are not known without the samples, so a
 * `split` of the result has no classes to balance: split first.
 */
export function mapSamples(dataset: Dataset, transform: SampleTransform): Dataset {
  const { size, classes, assumptions, recipe } = dataset;
  async function* pick(positions: readonly number[]): AsyncGenerator<Sample> {
    let i = 0;
    for await (const sample of dataset.pick(positions)) yield await transform(sample, nth(positions, i++));
  }
  return {
    size,
    ...(classes && { classes }),
    ...(assumptions && { assumptions }),
    ...(recipe && transform.recipe && { recipe: ownRecipe("mapSamples", recipe, transform.recipe) }),
    pick,
    [Symbol.asyncIterator]: () => pick(Array.from({ length: size }, (_, i) => i)),
  };
}
