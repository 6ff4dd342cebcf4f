/** @file A dataset whose samples know where they stand. */
import { nth } from "../checked.ts";
import { tensorFromNumbers } from "../ir/index.ts";
import type { Dataset, Sample } from "./dataset.ts";
import { ownRecipe } from "./recipe.ts";

/** Every sample with its position as a further input: an int64 scalar. */
export function numbered(dataset: Dataset, input: string): Dataset {
  async function* pick(positions: readonly number[]): AsyncGenerator<Sample> {
    let i = 0;
    for await (const sample of dataset.pick(positions)) {
      const position = tensorFromNumbers("int64", [], [nth(positions, i++)]);
      yield { ...sample, inputs: new Map([...sample.inputs, [input, position]]) };
    }
  }
  const { size, classes, assumptions, recipe } = dataset;
  return {
    size,
    ...(classes && { classes }),
    ...(assumptions && { assumptions }),
    ...(dataset.labels && { labels: () => dataset.labels!() }),
    ...(recipe && { recipe: ownRecipe("numbered", recipe, input) }),
    pick,
    [Symbol.asyncIterator]: () => pick(Array.from({ length: size }, (_, i) => i)),
  };
}
