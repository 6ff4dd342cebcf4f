/** @file All-reduce within machines first, then between them. */
import { lineAmong } from "../../communicator/line-among.ts";
import { broadcast } from "../broadcast.ts";
import { reduce } from "../reduce.ts";
import type { AllReduceAlgorithm } from "./algorithm.ts";
import { ring } from "./ring.ts";

/**
 * Reduces to the first rank of each machine, around a ring of those, and broadcasts within each machine: the slow links between machines carry
 * 2 (M−1)/M of the bytes for each of M machines, not for each rank.
 */
export const hierarchical: AllReduceAlgorithm = async (line, values, settings) => {
  const { ranksPerMachine, operation } = settings;
  const ranks = Array.from({ length: line.size }, (_, rank) => rank);
  const machineOf = (rank: number): number => Math.floor(rank / ranksPerMachine);
  const machine = lineAmong(
    line,
    ranks.filter((rank) => machineOf(rank) === machineOf(line.rank)),
  );
  await reduce(machine, values, { operation });
  if (machine.rank === 0) {
    const leaders = ranks.filter((rank) => rank % ranksPerMachine === 0);
    await ring(lineAmong(line, leaders), values, settings);
  }
  await broadcast(machine, values);
};
