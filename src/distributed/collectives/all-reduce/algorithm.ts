/** @file How an all-reduce can be done. One algorithm is one file and one line in `allReduceAlgorithms`. */
import type { Line } from "../../communicator/communicator.ts";
import type { ReduceOperation, Values } from "../values.ts";

export interface AllReduceSettings {
  readonly operation: ReduceOperation;
  /** Ranks of a machine, which are neighbours; the last machine may have fewer. */
  readonly ranksPerMachine: number;
}

/** Reduces in place; all ranks get the same bits. */
export type AllReduceAlgorithm = (line: Line, values: Values, settings: AllReduceSettings) => Promise<void>;
