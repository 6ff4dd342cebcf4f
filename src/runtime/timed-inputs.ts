/** @file What to time models on. */
import { DataError } from "../errors.ts";
import { bytesOfTensor } from "../ir/index.ts";
import type { Feeds } from "./session.ts";

/** Inputs that are timed in turn, at most, and their bytes together. */
const MOST = 128;
const MEMORY = 2 ** 26;

/**
 * The first batch; where the work depends on the data (`dependsOnData`), as many batches of the same shapes as there are, within limits.
 * One batch alone tells nothing then: it may be one that leaves by the first exit.
 *
 * @throws DataError where there is no batch
 */
export async function timedInputs(
  batches: AsyncIterable<{ readonly feeds: Feeds; readonly isProbe?: boolean }>,
  isDependent: boolean,
): Promise<readonly Feeds[]> {
  const most = isDependent ? MOST : 1;
  const found: Feeds[] = [];
  let bytes = 0;
  for await (const { feeds, isProbe = false } of batches) {
    if (isProbe || (found[0] && shapesOf(feeds) !== shapesOf(found[0]))) continue;
    bytes += bytesOf(feeds);
    if (found.length > 0 && bytes > MEMORY) break;
    found.push(feeds);
    if (found.length === most) break;
  }
  if (found.length === 0) throw new DataError("the data has no sample");
  return found;
}

function shapesOf(feeds: Feeds): string {
  return JSON.stringify([...feeds].map(([name, { dims }]) => [name, dims]));
}

function bytesOf(feeds: Feeds): number {
  let bytes = 0;
  for (const tensor of feeds.values()) bytes += tensor.dtype === "string" ? 0 : bytesOfTensor(tensor).byteLength;
  return bytes;
}
