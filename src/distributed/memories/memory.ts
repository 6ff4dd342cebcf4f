/** @file What a rank keeps of a gradient that it did not send. One memory is one file and one line in `memories`. */
import type { ExchangeState } from "../exchange/exchange.ts";
import type { Place } from "../exchange/place.ts";

/** Compensation before compression, in GRACE's words (Xu et al. 2021). All arithmetic is float32, each operation rounded. */
export interface Memory {
  readonly name: string;
  /** What is to be compressed in the place of the gradient. */
  compensate(gradient: Float32Array, place: Place): Float32Array;
  /** Called once after `compensate` with its result, and with what others see of it: the decompressed values. */
  update(compensated: Float32Array, sent: Float32Array, place: Place): void;
  /** Changes the mean of a tensor that is exchanged whole, in place and alike on all ranks. Absent: it stays the mean. */
  whole?(mean: Float32Array, place: Place): void;
  readState(): ExchangeState;
  restore(state: ExchangeState): void;
}
