/** @file All-reduce: every rank gets the reduced values of all. */
import { UnsupportedError } from "../../../errors.ts";
import { checkCount, checkOptions } from "../../../options.ts";
import type { Line } from "../../communicator/communicator.ts";
import { combineBy, type ReduceOperation, type Values } from "../values.ts";
import type { AllReduceAlgorithm } from "./algorithm.ts";
import { halvingDoubling } from "./halving-doubling.ts";
import { hierarchical } from "./hierarchical.ts";
import { ring } from "./ring.ts";
import { tree } from "./tree.ts";

export const allReduceAlgorithms = {
  ring,
  tree,
  "halving-doubling": halvingDoubling,
  hierarchical,
} as const satisfies Readonly<Record<string, AllReduceAlgorithm>>;

export type AllReduceAlgorithmName = keyof typeof allReduceAlgorithms;

export interface AllReduceOptions {
  /** Default: what the transport does best, else `ring`. */
  readonly algorithm?: AllReduceAlgorithmName;
  /** Default `sum`. */
  readonly operation?: ReduceOperation;
  /** For `hierarchical`: ranks of a machine, which are neighbours; default all. */
  readonly ranksPerMachine?: number;
}

/** Reduces in place; all ranks get the same bits. */
export async function allReduce<T extends Values>(line: Line, values: T, options: AllReduceOptions = {}): Promise<T> {
  const {
    algorithm,
    operation = "sum",
    ranksPerMachine = line.size,
  } = checkOptions(options, {
    algorithm: true,
    operation: true,
    ranksPerMachine: true,
  });
  checkCount("ranksPerMachine", ranksPerMachine);
  if (!algorithm && line.allReduce) {
    combineBy(operation);
    await line.allReduce(values, operation);
    return values;
  }
  const run: AllReduceAlgorithm | undefined = allReduceAlgorithms[algorithm ?? "ring"];
  if (!run) {
    throw new UnsupportedError("there is no such algorithm of all-reduce", {
      expected: Object.keys(allReduceAlgorithms).join(", "),
      got: String(algorithm),
    });
  }
  await run(line, values, { operation, ranksPerMachine });
  return values;
}
