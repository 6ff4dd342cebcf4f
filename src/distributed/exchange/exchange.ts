/** @file How the gradients of all ranks become one. */
import type { Communicator } from "../communicator/communicator.ts";

/** A rank's values of a tensor that all ranks have: a gradient, or how far a parameter moved. */
export interface LocalGradient {
  readonly name: string;
  readonly dims: readonly number[];
  readonly values: Float32Array;
}

/** What a rank keeps from one exchange to the next, by name; it goes into that rank's checkpoint. */
export type ExchangeState = ReadonlyMap<string, Float32Array>;

/** One rank's side. Every rank calls it with the same tensors in the same order. */
export interface GradientExchange {
  /** Replaces `values` by the mean over ranks, or by what stands for it: the same bits on every rank. `update` counts from 1. */
  average(communicator: Communicator, gradients: readonly LocalGradient[], update: number): Promise<void>;
  readState(): ExchangeState;
  restore(state: ExchangeState): void;
}
