/** @file The ranks of one job and messages between them, in the words of MPI. */

import type { ReduceOperation, Values } from "../collectives/values.ts";

/** What messages can be made of: the bytes under the view. */
export type Payload = Uint8Array | Float32Array | Float64Array | Int32Array;

/** Bytes and messages that a rank has sent to others and received from them, without envelopes. */
export interface Traffic {
  readonly sentBytes: number;
  readonly receivedBytes: number;
  readonly sentMessages: number;
  readonly receivedMessages: number;
}

/** Messages that belong together: those of another line are not seen in it. Of two ranks they arrive in the order of sending. */
export interface Line {
  /** Of this process, from 0. */
  readonly rank: number;
  readonly size: number;
  /** Sends a copy; `data` may change as soon as this is called. Resolves when the transport takes more. */
  send(to: number, data: Payload): Promise<void>;
  /**
   * The next message of a rank.
   *
   * @throws RankLostError where it will never come
   */
  receive(from: number): Promise<Uint8Array<ArrayBuffer>>;
  /** Reduces in place over all ranks as the transport does it best, once on a line that was begun; its bytes are not counted. Few transports can. */
  allReduce?(values: Values, operation: ReduceOperation): Promise<void>;
}

/** One rank's end. Closed when disposed of: whoever waits for this rank then, is told that it left. */
export interface Communicator extends AsyncDisposable {
  readonly rank: number;
  readonly size: number;
  /** Of all lines over this process's transport together. */
  readonly traffic: Traffic;
  /** The line of messages under a tag, for what two ranks have to tell each other. */
  tagged(tag: string): Line;
  /**
   * The line of the next collective operation. Every rank begins the same operations in the same order; they may run side by side, since none
   * sees the messages of another.
   */
  begin(): Line;
  /**
   * Ranks of the same colour form a communicator of their own, in the order of `key` and, where it is equal, of their ranks. Without a colour a
   * rank takes part in the call only.
   */
  split(color: number | undefined, key?: number): Promise<Communicator | undefined>;
}
