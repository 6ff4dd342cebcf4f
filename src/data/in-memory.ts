/** @file A dataset decoded once. */
import { nth } from "../checked.ts";
import { collect } from "./collect.ts";
import { type Dataset, datasetOf } from "./dataset.ts";
import { ownRecipe } from "./recipe.ts";

/** The same samples, all read now and held in memory: for data that is small and read many times. Each loading thread holds its own copy. */
export async function inMemory(dataset: Dataset): Promise<Dataset> {
  const samples = await collect(dataset);
  const { size, classes, assumptions, labels, recipe } = dataset;
  const held = datasetOf({
    size,
    ...(classes && { classes }),
    ...(assumptions && { assumptions }),
    ...(labels && { labels: () => dataset.labels!() }),
    open: () => ({ read: (position) => nth(samples, position) }),
  });
  return { ...held, ...(recipe && { recipe: ownRecipe("inMemory", recipe) }) };
}
