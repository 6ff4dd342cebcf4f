/** @file How many outputs labelled data asks for: one per class, or one for a number that is to be learned. */
import { checkDatasetLabels, type Dataset } from "../../data/index.ts";
import { DataError } from "../../errors.ts";
import { type Loss, losses } from "../../train/index.ts";
import { made, type NamedChoice } from "./named-choice.ts";

/** Above this many, a share of the classes has to be seen in the data, unless they have names. */
const MANY = 100;

/** Of classes that samples were drawn from, a tenth is seen by few samples; of numbers, a tenth of all whole ones seldom is. */
const SEEN = 0.1;

/** The outputs of a network for the labels of `data` and a loss. */
export async function outputCount(data: Dataset, loss: NamedChoice): Promise<number> {
  const { reads, ignoreIndex } = made<Loss>("loss", losses, loss);
  if (reads === "classes") return classCount(data, ignoreIndex);
  return 1;
}

/**
 * The number of named classes, or one more than the greatest label.
 *
 * @throws DataError for labels that are no classes, or are numbers that only look like classes
 */
export async function classCount(data: Dataset, ignored?: number): Promise<number> {
  const { classes } = data;
  if (classes) return classes.length;
  const all = await data.labels?.();
  if (!all || all.length === 0)
    throw new DataError("training needs labelled data", { hint: "Name them with --labels." });
  await checkDatasetLabels(data, { kind: "classes", count: Number.POSITIVE_INFINITY, ignored });
  const seen = new Set(Array.from(all));
  if (ignored !== undefined) seen.delete(ignored);
  let greatest = -1;
  for (const label of seen) greatest = Math.max(greatest, label);
  const count = greatest + 1;
  if (count > MANY && seen.size < SEEN * count) throw noClasses(seen.size, greatest);
  return count;
}

function noClasses(seen: number, greatest: number): DataError {
  return new DataError("the labels look like measured numbers, not like classes", {
    expected: "classes counted from 0, at least a tenth of which appears",
    got: `${seen} different labels up to ${greatest}`,
    hint: "Learn numbers with --loss meanSquaredError; number classes from 0 without gaps, or give them names.",
  });
}
