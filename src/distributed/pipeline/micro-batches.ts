/** @file A batch in parts along its first axis. */
import { UsageError } from "../../errors.ts";
import { bytesOfTensor, sizeOf, type Tensor } from "../../ir/index.ts";
import type { Feeds } from "../../runtime/index.ts";

/**
 * So many parts of equal length of every tensor: means over parts then have the mean of the whole as their mean.
 *
 * @throws UsageError for a batch that does not divide
 */
export function microBatchesOf(feeds: Feeds, count: number): Feeds[] {
  for (const [name, { dims }] of feeds) checkDivides(name, dims[0] ?? 0, count);
  return Array.from(
    { length: count },
    (_, i) => new Map([...feeds].map(([name, whole]) => [name, part(whole, i, count)])),
  );
}

function part(whole: Tensor, index: number, count: number): Tensor {
  const [length = 0, ...rest] = whole.dims;
  const bytes = bytesOfTensor(whole);
  const size = bytes.length / count;
  const dims = [length / count, ...rest];
  return { dtype: whole.dtype, dims, data: sizeOf(dims) === 0 ? bytes : bytes.slice(index * size, (index + 1) * size) };
}

function checkDivides(name: string, length: number, count: number): void {
  if (length > 0 && length % count === 0) return;
  throw new UsageError("a batch has to divide into the micro-batches", {
    expected: `a multiple of ${count}`,
    got: String(length),
    where: `input ${JSON.stringify(name)}`,
  });
}
