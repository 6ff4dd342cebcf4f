/** @file What carries messages between ranks. One transport is one file. */

import type { ReduceOperation, Values } from "../collectives/values.ts";

/** One message in its envelope. */
export interface Frame {
  readonly channel: string;
  readonly payload: Uint8Array<ArrayBuffer>;
}

export interface TransportListener {
  frame(from: number, frame: Frame): void;
  /** The rank does not answer; why, as a part of a sentence, and the name of its machine where that is known. */
  lost(rank: number, reason: string, host?: string): void;
}

/** Frames of one rank to another arrive once, in order. */
export interface Transport {
  readonly rank: number;
  readonly size: number;
  /** Called once, before anything else: what came earlier is told then. */
  listen(listener: TransportListener): void;
  /** The payload is the transport's afterwards. Resolves when it takes more. */
  post(to: number, frame: Frame): Promise<void>;
  /**
   * Reduces in place over all ranks, where the transport has something better than messages. All ranks call it with the same channel, which is
   * used once; they may reach different channels in different orders.
   */
  allReduce?(channel: string, values: Values, operation: ReduceOperation): Promise<void>;
  /** After what was posted has been handed over. */
  close(): Promise<void>;
}
