/** @file The memory that the ranks of a group share: a few counters, and two windows for each rank. */

/** Bytes that a rank hands over at a time; a larger tensor goes in pieces. */
export const WINDOW = 2 ** 18;

/** Axes that a tensor between ranks can have. */
export const MAX_AXES = 16;

/** Counters that different ranks write lie this many elements apart, so that no two share a cache line. */
const STRIDE = 32;

const BELL = 0;
const FAILED = 1;
const GENERATION = 2;

export interface GroupMemory {
  readonly size: number;
  readonly buffer: SharedArrayBuffer;
}

export function groupMemory(size: number): GroupMemory {
  return { size, buffer: new SharedArrayBuffer(headerBytes(size) + 2 * size * WINDOW) };
}

function headerBytes(size: number): number {
  return Int32Array.BYTES_PER_ELEMENT * STRIDE * (1 + 4 * size);
}

/** One number for each rank, which its rank alone writes. They count up for ever, and wrap around. */
export interface Counters {
  reached(rank: number, count: number): boolean;
  set(rank: number, count: number): void;
}

export interface GroupViews {
  /** Pieces that a rank has written, and pieces that it no longer needs. */
  readonly written: Counters;
  readonly done: Counters;
  /** Blocks until `reached` holds; throws once another rank has failed. */
  wait(reached: () => boolean): void;
  /** The number of times that the counters were set back. */
  generation(): number;
  /** Ends every wait with an error. */
  fail(): void;
  /** Forgets a failure and sets the counters back; only while no rank runs. */
  restart(): void;
  /** Where a rank writes the dims of its tensor, after their number. */
  dims(rank: number, side: number): Int32Array<SharedArrayBuffer>;
  window(rank: number, side: number): Uint8Array<SharedArrayBuffer>;
}

export function viewsOf({ size, buffer }: GroupMemory): GroupViews {
  const header = new Int32Array(buffer, 0, headerBytes(size) / Int32Array.BYTES_PER_ELEMENT);
  const place = (block: number, rank: number): number => STRIDE * (1 + block * size + rank);
  const counters = (block: number): Counters => ({
    reached: (rank, count) => ((Atomics.load(header, place(block, rank)) - count) | 0) >= 0,
    set(rank, count) {
      Atomics.store(header, place(block, rank), count);
      ring(header);
    },
  });
  return {
    written: counters(0),
    done: counters(1),
    wait: (reached) => wait(header, reached),
    generation: () => Atomics.load(header, GENERATION),
    fail() {
      Atomics.store(header, FAILED, 1);
      ring(header);
    },
    restart() {
      header.fill(0, STRIDE);
      Atomics.store(header, FAILED, 0);
      Atomics.add(header, GENERATION, 1);
    },
    dims: (rank, side) => header.subarray(place(2 + side, rank), place(2 + side, rank) + 1 + MAX_AXES),
    window: (rank, side) => new Uint8Array(buffer, headerBytes(size) + WINDOW * (2 * rank + side), WINDOW),
  };
}

/** The bell rises with every change, so that whoever waits for one of many counters waits for one number. */
function ring(header: Int32Array<SharedArrayBuffer>): void {
  Atomics.add(header, BELL, 1);
  Atomics.notify(header, BELL);
}

/** Looks before a rank goes to sleep: a few microseconds, in which one that has kept step arrives. */
const LOOKS = 200;

function wait(header: Int32Array<SharedArrayBuffer>, reached: () => boolean): void {
  for (let look = 0; look < LOOKS; look++) if (reached()) return;
  for (;;) {
    const heard = Atomics.load(header, BELL);
    if (reached()) return;
    if (Atomics.load(header, FAILED) === 1) throw new Error("another rank of the group failed");
    Atomics.wait(header, BELL, heard);
  }
}
