/** @file What to time models on. */
import { DataError } from "../errors.ts";
import { type Feeds, feedBytes } from "../runtime/index.ts";

/** Inputs that are timed in turn, at most, and their bytes together. */
const MOST = 128;
const MEMORY = 2 ** 26;

/**
 * The first batch; where the work depends on the data (`dependsOnData`), as many batches of the same shapes as there are, within limits.
 * One batch alone tells nothing then: it may be one that leaves by the first exit.
 *
 * @throws DataError where there is no batch
 */
export async function timedInputs<B extends { readonly feeds: Feeds; readonly isProbe?: boolean }>(
  batches: AsyncIterable<B>,
  isDependent: boolean,
): Promise<readonly B[]> {
  const most = isDependent ? MOST : 1;
  const found: B[] = [];
  let bytes = 0;
  for await (const batch of batches) {
    if (batch.isProbe || (found[0] && shapesOf(batch.feeds) !== shapesOf(found[0].feeds))) continue;
    bytes += feedBytes(batch.feeds);
    if (found.length > 0 && bytes > MEMORY) break;
    found.push(batch);
    if (found.length === most) break;
  }
  if (found.length === 0) throw new DataError("the data has no sample");
  return found;
}

function shapesOf(feeds: Feeds): string {
  return JSON.stringify([...feeds].map(([name, { dims }]) => [name, dims]));
}
