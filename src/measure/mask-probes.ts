/** @file Inputs that reach what masks hide: in data they often stay as they are, and in made-up data always. */
import { lastOf } from "../checked.ts";
import { numbersOf, sizeOf, type Tensor, tensorFromNumbers } from "../ir/index.ts";
import type { Feeds } from "../runtime/index.ts";
import type { Batch } from "./agreement.ts";

/** The batches, and behind them the first one with its masks turned over: in the first row whole, and in the later half of every row. */
export async function* withMaskProbes(batches: AsyncIterable<Batch> | Iterable<Batch>): AsyncGenerator<Batch> {
  let first: Feeds | undefined;
  for await (const batch of batches) {
    first ??= batch.feeds;
    yield batch;
  }
  for (const feeds of first ? maskProbes(first) : []) yield { feeds, isProbe: true };
}

function maskProbes(feeds: Feeds): Feeds[] {
  const masks = [...feeds].filter(([name, tensor]) => isMask(name, tensor));
  if (masks.length === 0) return [];
  return [inFirstRow, inLaterHalf].map((where) => {
    const turned = masks.map(([name, mask]) => [name, turnedOver(mask, where)] as const);
    return new Map([...feeds, ...turned]);
  });
}

/** Booleans, and zeros and ones under a name that says what they are. */
function isMask(name: string, mask: Tensor): boolean {
  if (mask.dims.length === 0 || sizeOf(mask.dims) === 0 || mask.dtype === "string") return false;
  return mask.dtype === "bool" || (/mask/i.test(name) && numbersOf(mask).every((value) => value === 0 || value === 1));
}

type Where = (element: number, width: number) => boolean;

const inFirstRow: Where = (element, width) => element < width;
const inLaterHalf: Where = (element, width) => element % width >= width / 2;

function turnedOver(mask: Tensor, where: Where): Tensor {
  const width = lastOf(mask.dims);
  const values = numbersOf(mask).map((value, i) => (where(i, width) ? 1 - value : value));
  return tensorFromNumbers(mask.dtype, mask.dims, values);
}
