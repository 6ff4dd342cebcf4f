/** @file Reduce: one rank gets the reduced values. */
import type { Line } from "../communicator/communicator.ts";
import { combineBy, type ReduceOperation, type Values, valuesFrom } from "./values.ts";

/** At the root the reduced values take the place of its own; elsewhere they stay. Over a binomial tree of ⌈log₂ N⌉ rounds. */
export async function reduce<T extends Values>(
  line: Line,
  values: T,
  { root = 0, operation = "sum" }: { readonly root?: number; readonly operation?: ReduceOperation } = {},
): Promise<T> {
  const combine = combineBy(operation);
  const { size } = line;
  const place = (line.rank - root + size) % size;
  const rankAt = (at: number): number => (at + root) % size;
  const isAsked = place % 2 === 0 && place + 1 < size;
  const total = place > 0 && isAsked ? (values.slice() as T) : values;
  for (let step = 1; step < size; step *= 2) {
    if (place & step) {
      await line.send(rankAt(place - step), total);
      break;
    }
    if (place + step >= size) continue;
    const from = rankAt(place + step);
    combine(total, valuesFrom(await line.receive(from), total, from));
  }
  return values;
}
