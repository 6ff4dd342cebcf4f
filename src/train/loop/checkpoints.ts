/** @file What a checkpoint is, and what keeps them. */
import type { Tensor } from "../../ir/index.ts";
import type { AlgorithmStates } from "../algorithms/algorithm-state.ts";
import type { Evaluation } from "./events.ts";

/** Where a run is. */
export interface RunProgress {
  /** Batches done. */
  readonly step: number;
  readonly evaluations: readonly Evaluation[];
  /** Position of the best among them. */
  readonly best: number | undefined;
  /** What algorithms keep, by their names. */
  readonly algorithms: AlgorithmStates;
}

export interface Checkpoint extends RunProgress {
  readonly state: ReadonlyMap<string, Tensor>;
}

/** The checkpoints of a run in a folder that is locked as long as they are open. */
export interface Checkpoints extends AsyncDisposable {
  /** Where they are; absent where another run keeps them. */
  readonly folder?: string;
  /** The last one, or `undefined` where there is none. */
  load(): Promise<Checkpoint | undefined>;
  /** Writes one in the place of that before, and gives its path. */
  save(progress: RunProgress, state: ReadonlyMap<string, Tensor>): Promise<string>;
}
