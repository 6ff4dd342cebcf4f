/** @file How many classes labelled data has. */
import type { Dataset } from "../../data/index.ts";
import { DataError } from "../../errors.ts";

/** The number of named classes, or one more than the greatest label. */
export async function classCount({ classes, labels }: Dataset): Promise<number> {
  if (classes) return classes.length;
  const all = await labels?.();
  if (!all || all.length === 0)
    throw new DataError("training needs labelled data", { hint: "Name them with --labels." });
  return Math.max(...new Set(Array.from(all))) + 1;
}
