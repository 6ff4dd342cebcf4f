/** @file All-reduce by recursive halving and doubling. */
import type { Line } from "../../communicator/communicator.ts";
import { exchange } from "../exchange.ts";
import { type Combine, combineBy, partsOf, type Values, valuesFrom } from "../values.ts";
import type { AllReduceAlgorithm } from "./algorithm.ts";

/**
 * Recursive halving, then recursive doubling (Thakur, Rabenseifner, Gropp 2005): 2 log₂ N rounds in which a rank sends 2 (N−1)/N of the bytes. Where
 * N is no power of two, so many ranks as there are too many hand their values to a neighbour and get the result of it.
 */
export const halvingDoubling: AllReduceAlgorithm = async (line, values, { operation }) => {
  const combine = combineBy(operation);
  const { rank, size } = line;
  const power = 2 ** Math.floor(Math.log2(size));
  const paired = 2 * (size - power);
  const isPaired = rank < paired;
  if (isPaired && rank % 2 === 0) {
    await line.send(rank + 1, values);
    values.set(valuesFrom(await line.receive(rank + 1), values, rank + 1));
    return;
  }
  if (isPaired) combine(values, valuesFrom(await line.receive(rank - 1), values, rank - 1));
  await halveAndDouble(line, values, combine, { power, paired });
  if (isPaired) await line.send(rank - 1, values);
};

interface Places {
  /** The ranks that go on, a power of two. */
  readonly power: number;
  /** The ranks below this one go on in pairs, by the odd one of each. */
  readonly paired: number;
}

async function halveAndDouble(line: Line, values: Values, combine: Combine, { power, paired }: Places): Promise<void> {
  const place = line.rank < paired ? (line.rank - 1) / 2 : line.rank - paired / 2;
  const rankAt = (at: number): number => (at < paired / 2 ? 2 * at + 1 : at + paired / 2);
  /** The parts that a place is left with after the halving at a distance. */
  const held = (at: number, distance: number): Values => {
    const first = Math.floor(at / distance) * distance;
    return partsOf(values, first, first + distance, power);
  };
  for (let distance = power / 2; distance >= 1; distance /= 2) {
    const other = place ^ distance;
    const kept = held(place, distance);
    const from = rankAt(other);
    combine(kept, valuesFrom(await exchange(line, from, held(other, distance), from), kept, from));
  }
  for (let distance = 1; distance < power; distance *= 2) {
    const other = place ^ distance;
    const filled = held(other, distance);
    const from = rankAt(other);
    filled.set(valuesFrom(await exchange(line, from, held(place, distance), from), filled, from));
  }
}
