/** @file All-gather: every rank gets what each has. */
import type { Line, Payload } from "../communicator/communicator.ts";
import { copied } from "../communicator/copied.ts";
import { around, exchange } from "./exchange.ts";
import { partOf, type Values, valuesFrom } from "./values.ts";

/** The messages of all ranks, which may differ in length, by rank. They go around on a ring. */
export async function allGather(line: Line, own: Payload): Promise<Uint8Array<ArrayBuffer>[]> {
  let passed = copied(own);
  const all = Array.from({ length: line.size }, () => passed);
  for (let step = 1; step < line.size; step++) {
    passed = await exchange(line, around(line, 1), passed, around(line, -1));
    all[around(line, -step)] = passed;
  }
  return all;
}

/** Fills in the parts of the other ranks, where each has its own, the `rank`-th of `size`. A rank sends (N−1)/N of the bytes. */
export async function allGatherParts<T extends Values>(line: Line, values: T): Promise<T> {
  const [left, right] = [around(line, -1), around(line, 1)];
  for (let step = 0; step < line.size - 1; step++) {
    const sent = partOf(values, around(line, -step), line.size);
    const filled = partOf(values, around(line, -step - 1), line.size);
    filled.set(valuesFrom(await exchange(line, right, sent, left), filled, left));
  }
  return values;
}
