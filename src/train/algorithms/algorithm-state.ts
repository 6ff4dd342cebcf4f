/** @file What algorithms keep from one batch to the next. */
import type { Tensor } from "../../ir/index.ts";

/** Plain data, as JSON has it. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** The state of an algorithm between two batches. Floats survive bit for bit in tensors; JSON has no NaN, no infinity and no negative zero. */
export interface AlgorithmState {
  readonly values?: Json;
  readonly tensors?: ReadonlyMap<string, Tensor>;
}

export type AlgorithmStates = ReadonlyMap<string, AlgorithmState>;
