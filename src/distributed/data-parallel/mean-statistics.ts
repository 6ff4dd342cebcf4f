/** @file Running statistics, which every rank keeps of its own samples, made the same on all. */
import { must } from "../../checked.ts";
import { numbersOf, type Tensor, tensorFromNumbers } from "../../ir/index.ts";
import type { TrainingRun } from "../../train/index.ts";
import { allReduce } from "../collectives/all-reduce/index.ts";
import type { Communicator } from "../communicator/communicator.ts";

/** The mean over ranks in the place of each rank's own. */
export async function meanStatistics(communicator: Communicator, run: TrainingRun): Promise<void> {
  const names = run.step.state.filter(({ kind }) => kind === "statistic").map(({ name }) => name);
  if (names.length === 0) return;
  const own = await run.read(names);
  const sums = Float64Array.from(names.flatMap((name) => Array.from(numbersOf(must(own, name)), Number)));
  await allReduce(communicator.begin(), sums);
  let at = 0;
  const means = names.map((name): [string, Tensor] => {
    const { dtype, dims } = must(own, name);
    const length = dims.reduce((a, b) => a * b, 1);
    const mean = sums.subarray(at, at + length).map((sum) => sum / communicator.size);
    at += length;
    return [name, tensorFromNumbers(dtype, dims, mean)];
  });
  await run.write(new Map(means));
}
