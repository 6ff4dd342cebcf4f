/** @file How a gradient becomes fewer bytes. One compressor is one file and one line in `compressors`. */
import type { Communicator } from "../communicator/communicator.ts";
import type { ExchangeState } from "../exchange/exchange.ts";
import type { Place } from "../exchange/place.ts";

/** Each rank's tensors become bytes, every rank reads those of all, and the mean is that of what was read. */
export interface ByteCompressor {
  readonly kind: "bytes";
  readonly name: string;
  /**
   * Whether the expectation of what is read is the gradient. Then no memory is needed, and error feedback may grow without bound, since an error may be greater than
   * the values are.
   */
  readonly isUnbiased: boolean;
  /** Values are finite. */
  compress(values: Float32Array, place: Place): Uint8Array<ArrayBuffer>;
  /**
   * Bytes come over a network.
   *
   * @throws FormatError for those that `compress` could not have written for this tensor, before memory is taken for them
   */
  decompress(bytes: Uint8Array, place: Place): Float32Array;
}

/** What the ranks compute together, since no rank's message can be read alone. */
export interface CollectiveCompressor {
  readonly kind: "collective";
  readonly name: string;
  readonly isUnbiased: boolean;
  /** What stands for the mean over ranks of each tensor: the same bits on every rank. It counts as sent by each of them. */
  average(communicator: Communicator, tensors: readonly PlacedTensor[]): Promise<Float32Array[]>;
  readState(): ExchangeState;
  restore(state: ExchangeState): void;
}

export interface PlacedTensor {
  readonly values: Float32Array;
  readonly place: Place;
}

export type Compressor = ByteCompressor | CollectiveCompressor;
