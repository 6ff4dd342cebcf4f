/** @file Broadcast: what one rank has, all get. */
import type { Line } from "../communicator/communicator.ts";
import { type Values, valuesFrom } from "./values.ts";

/** The root's values take the place of the others', over a binomial tree of ⌈log₂ N⌉ rounds. */
export async function broadcast<T extends Values>(line: Line, values: T, root = 0): Promise<T> {
  const { size } = line;
  const place = (line.rank - root + size) % size;
  const rankAt = (at: number): number => (at + root) % size;
  let reach = 1;
  while (place >= reach) reach *= 2;
  if (place > 0) {
    const from = rankAt(place - reach / 2);
    values.set(valuesFrom(await line.receive(from), values, from));
  }
  const sent: Promise<void>[] = [];
  for (let step = reach; place + step < size; step *= 2) sent.push(line.send(rankAt(place + step), values));
  await Promise.all(sent);
  return values;
}
