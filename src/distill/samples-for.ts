/** @file What losses with a memory need of the data. */
import { type Dataset, mapSamples, numbered } from "../data/index.ts";
import { tensorFromNumbers } from "../ir/index.ts";
import { SAMPLE } from "./joint-model.ts";
import type { DistillationLoss } from "./losses/index.ts";

/** The data, which says which samples it hands out where a loss remembers them; it stays as it is for other losses. */
export function samplesFor(losses: readonly DistillationLoss[], data: Dataset): Dataset {
  return remembers(losses) ? numbered(data, SAMPLE) : data;
}

/** The same of samples that are held out: they are not among those that are remembered. */
export function heldOutFor(losses: readonly DistillationLoss[], data: Dataset): Dataset {
  if (!remembers(losses)) return data;
  const none = tensorFromNumbers("int64", [], [0]);
  const unknown = mapSamples(data, (sample) => ({ ...sample, inputs: new Map([...sample.inputs, [SAMPLE, none]]) }));
  return { ...unknown, ...(data.labels && { labels: () => data.labels!() }) };
}

function remembers(losses: readonly DistillationLoss[]): boolean {
  return losses.some(({ remember }) => remember !== undefined);
}
