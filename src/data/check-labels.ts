/** @file All labels of a dataset checked at once, before work begins that would end at the first wrong one. */
import { type LabelDomain, labelError, wrongLabel } from "../ir/index.ts";
import type { Dataset } from "./dataset.ts";

/**
 * Checks the labels of a dataset that can tell them without its inputs; of others each batch is checked when it is read.
 *
 * @throws DataError with the sample of the first wrong label
 */
export async function checkDatasetLabels(dataset: Dataset, domain: LabelDomain): Promise<void> {
  const labels = await dataset.labels?.();
  const position = labels && wrongLabel(labels, domain);
  if (labels && position !== undefined) {
    throw labelError(labels, position, domain, await sourceOf(dataset, position));
  }
}

async function sourceOf(dataset: Dataset, position: number): Promise<string | undefined> {
  for await (const { source } of dataset.pick([position])) return source;
  return undefined;
}
