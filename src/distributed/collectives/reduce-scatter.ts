/** @file Reduce-scatter: every rank gets its part of the reduced values. */
import type { Line } from "../communicator/communicator.ts";
import { around, exchange } from "./exchange.ts";
import { combineBy, partOf, type ReduceOperation, type Values, valuesFrom } from "./values.ts";

/**
 * Reduces in place and returns this rank's part, the `rank`-th of `size`; the others hold sums of some ranks afterwards. On a ring, in `size` − 1
 * steps: a rank sends (N−1)/N of the bytes and receives as many. A part is reduced in the same order whoever asks, so that it has the same bits
 * in all.
 */
export async function reduceScatter<T extends Values>(
  line: Line,
  values: T,
  operation: ReduceOperation = "sum",
): Promise<T> {
  const combine = combineBy(operation);
  const [left, right] = [around(line, -1), around(line, 1)];
  for (let step = 1; step < line.size; step++) {
    const sent = partOf(values, around(line, -step), line.size);
    const kept = partOf(values, around(line, -step - 1), line.size);
    combine(kept, valuesFrom(await exchange(line, right, sent, left), kept, left));
  }
  return partOf(values, line.rank, line.size);
}
