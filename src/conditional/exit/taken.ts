/** @file Which exits samples take. */
import { must } from "../../checked.ts";
import { numbersOf } from "../../ir/index.ts";
import type { Batch } from "../../measure/index.ts";
import type { Session } from "../../runtime/index.ts";

/** The share of the samples that left at each of `exits`, the whole network last; a batch leaves as one unless `output` has a number per row. */
export async function countTaken(
  session: Session,
  output: string,
  exits: number,
  batches: AsyncIterable<Batch>,
): Promise<number[]> {
  const counts = new Array<number>(exits + 1).fill(0);
  let total = 0;
  for await (const { feeds } of batches) {
    const rows = [...feeds.values()][0]?.dims[0] ?? 1;
    const numbers = numbersOf(must(await session.run(feeds), output));
    for (const number of numbers) counts[number] = (counts[number] ?? 0) + rows / numbers.length;
    total += rows;
  }
  return counts.map((count) => count / Math.max(1, total));
}
