/** @file What every rank keeps of its exchange, in the checkpoint of all. */
import { must, nth } from "../../checked.ts";
import { encodeSafetensors, readSafetensors } from "../../data/index.ts";
import { floatsOf, type Tensor, tensorFromNumbers } from "../../ir/index.ts";
import type { AlgorithmState } from "../../train/index.ts";
import { allGather } from "../collectives/all-gather.ts";
import type { Communicator } from "../communicator/communicator.ts";
import type { ExchangeState } from "../exchange/exchange.ts";
import { prefixed, under } from "../prefixed.ts";

const nameAt = (rank: number, name: string): string => `rank-${rank}/${name}`;

/** The states of all ranks as that of one algorithm. */
export async function gatheredStates(communicator: Communicator, own: ExchangeState): Promise<AlgorithmState> {
  const tensors = new Map<string, Tensor>();
  for (const [name, values] of own) tensors.set(name, tensorFromNumbers("float32", [values.length], values));
  const all = await allGather(communicator.begin(), encodeSafetensors(tensors));
  const gathered = all.flatMap((bytes, rank) =>
    prefixed(nameAt(rank, ""), readSafetensors(bytes, `rank ${rank}`).tensors),
  );
  return { values: communicator.size, tensors: new Map(gathered) };
}

/**
 * A rank's state out of those of a run that may have had another number of ranks. The mean over ranks, for which residuals make up, stays what it
 * was: with N ranks before and M now, rank r takes the mean of those of the ranks j mod N for every j below the least common multiple of N
 * and M with j mod M = r. For M = N that is its own.
 */
export function stateOfRank(saved: AlgorithmState, { rank, size }: Pick<Communicator, "rank" | "size">): ExchangeState {
  const before = typeof saved.values === "number" ? saved.values : size;
  const sources = sourcesOf(rank, size, before);
  const tensors = saved.tensors ?? new Map<string, Tensor>();
  const names = under(nameAt(nth(sources, 0), ""), tensors).keys();
  return new Map(
    [...names].map((name) => [name, meanOf(sources.map((source) => floatsOf(must(tensors, nameAt(source, name)))))]),
  );
}

function sourcesOf(rank: number, size: number, before: number): number[] {
  const sources: number[] = [];
  for (let j = rank; j < leastCommonMultiple(size, before); j += size) sources.push(j % before);
  return sources;
}

function leastCommonMultiple(a: number, b: number): number {
  let multiple = a;
  while (multiple % b !== 0) multiple += a;
  return multiple;
}

function meanOf(all: readonly Float32Array[]): Float32Array {
  const [first] = all;
  if (all.length === 1 && first) return first.slice();
  return nth(all, 0).map((_, i) => all.reduce((sum, values) => sum + (values[i] ?? 0), 0) / all.length);
}
