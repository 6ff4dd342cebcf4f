/** @file What an acceleration is asked for. */
import type { Clock } from "../deadline.ts";
import type { FormTable } from "../quantize/index.ts";
import type { ExecutionProvider, OpenSession } from "../runtime/index.ts";
import type { SearchStore } from "../search/index.ts";
import type { Changes } from "./chain.ts";
import type { Goal } from "./choose.ts";
import type { MeasuredComparison } from "./result.ts";
import type { Batches } from "./samples.ts";

export interface AccelerateOptions {
  readonly calibration: Batches;
  /** Divided into a part to choose on and a part to verify on. */
  readonly evaluation: Batches;
  readonly ep: ExecutionProvider;
  readonly threads: number;
  /** The largest loss: of accuracy where labels are given, else of agreement. */
  readonly maxDrop: number;
  /** The largest ‖a − b‖ / ‖a‖ of any output, whatever classes and accuracy say; default 0.5. */
  readonly maxError?: number;
  readonly goal: Goal;
  /** With the goal size: how much longer than the original the result may take, as a share; default 0. */
  readonly maxSlowdown?: number;
  /** What is under way at the end of it ends with what it has: one run of a model, or one pass, at most is waited for. */
  readonly budgetSeconds: number;
  readonly seed: number;
  /** Bits of int8 weights; `auto`: 7 where 8 would saturate on this machine. */
  readonly weightBits?: "auto" | 7 | 8;
  /** Providers on which the result must give the same answers. */
  readonly otherProviders: readonly ExecutionProvider[];
  /** Bytes of the original's file. */
  readonly originalBytes: number;
  /** What the forms are worth on `ep`, measured earlier; forms that lose there are passed over. */
  readonly formTable?: FormTable;
  /** Networks of another structure that are tried, too, and in every form where they hold the bound by themselves. */
  readonly changes?: Changes;
  /** Finished candidates of an interrupted run. */
  readonly store?: CandidateStore;
  /** How sessions are opened; ONNX Runtime of this platform by default. */
  readonly open?: OpenSession;
  readonly signal?: AbortSignal;
  /** What the budget is kept by, except that building a form ends by a timer of the machine; its clock by default. */
  readonly clock?: Clock;
}

/** A candidate that was measured, and its file. */
export interface FinishedForm {
  readonly comparison: MeasuredComparison;
  readonly bytes: Uint8Array;
}

/** Where finished candidates are kept, so that an interrupted run can go on. */
export type CandidateStore = SearchStore<FinishedForm>;
