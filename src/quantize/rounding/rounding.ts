/** @file The problem that a rounding solves: integers for one group's weight matrix. */
import type { Moments } from "../../calibration/index.ts";
import type { Limits, Parameters } from "../scheme.ts";

export interface RoundingProblem {
  /** `rows × columns`, row-major. */
  readonly weights: Float64Array;
  readonly bias: Float64Array;
  /** The bias cannot change: the operator has none, or it is stored elsewhere. */
  readonly biasFixed?: boolean;
  readonly rows: number;
  readonly columns: number;
  parameters(row: number, column: number): Parameters;
  readonly limits: Limits;
  readonly moments?: Moments | undefined;
  /** Present where runs of columns have parameters of their own that may still change. */
  readonly blocks?: FreeBlocks | undefined;
}

/** Runs of columns, from the first on, that share a scale and a zero point. */
export interface FreeBlocks {
  readonly size: number;
  /** Parameters that cover the weights of one run. */
  parametersOf(weights: Float64Array): Parameters;
}

export interface RoundingResult {
  /** `rows × columns` integers. */
  readonly values: Int32Array;
  /** The bias that fits them. */
  readonly bias: Float64Array;
  /** Of the blocks, row by row, where the rounding changed them. */
  readonly parameters?: readonly Parameters[];
}

/** Chooses the integers that a weight matrix becomes. */
export type Rounding = (problem: RoundingProblem) => RoundingResult;
