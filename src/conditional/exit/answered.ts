/** @file Samples to choose by with their classes: labels where there are any, else what the original answers. */
import { nth } from "../../checked.ts";
import type { Batch } from "../../measure/index.ts";
import type { TechniqueContext } from "../../technique/index.ts";
import { bestClasses } from "./best-classes.ts";

export async function* labelledOrAnswered({
  labelled,
  original,
}: Pick<TechniqueContext, "labelled" | "original">): AsyncGenerator<Batch> {
  for await (const batch of labelled()) {
    if (batch.labels) yield batch;
    else yield { ...batch, labels: bestClasses(nth([...(await original.run(batch.feeds)).values()], 0)) };
  }
}
