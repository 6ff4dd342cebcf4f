/**
 * @file What a sum over devices takes, by algorithm: Thakur, Rabenseifner and Gropp, "Optimization of collective
 * communication operations in MPICH" (2005).
 */

/** A message of b bytes takes `latency` + b / `bandwidth`. */
export interface Link {
  /** Milliseconds. */
  readonly latency: number;
  /** Bytes per millisecond. */
  readonly bandwidth: number;
}

/** Milliseconds until every one of k devices has the sum of k tensors of b bytes. */
export type Reduction = (k: number, bytes: number, link: Link) => number;

/** Every reduction under its name. None takes time on one device. */
export const reductions = {
  /** Everybody reads everybody's term, one after another, after one wait: as threads do in shared memory. */
  direct: (k, bytes, { latency, bandwidth }) => (k > 1 ? latency + ((k - 1) * bytes) / bandwidth : 0),
  /** Recursive doubling: in round i, pairs at distance 2ⁱ exchange what they have. */
  doubling: (k, bytes, { latency, bandwidth }) => Math.ceil(Math.log2(k)) * (latency + bytes / bandwidth),
  /** A ring that scatters the sums and gathers them again: least bytes, most messages. */
  ring: (k, bytes, { latency, bandwidth }) => 2 * (k - 1) * (latency + bytes / k / bandwidth),
} as const satisfies Record<string, Reduction>;

export type ReductionName = keyof typeof reductions;
