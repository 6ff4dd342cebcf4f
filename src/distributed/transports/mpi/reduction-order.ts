/**
 * @file In which order ranks call MPI_Allreduce. All must call it in the same order, and it blocks; but operations that run side by side may be
 * reached in another order on every rank. So each rank tells rank 0 what it is ready for, and rank 0 tells all what everybody is ready for.
 */
import type { ReduceOperation, Values } from "../../collectives/values.ts";

export interface Reduction {
  readonly values: Values;
  readonly operation: ReduceOperation;
}

export interface ReductionOrder {
  /** A rank has come to the reduction of a channel. */
  isReady(rank: number, channel: string): void;
  /** Another rank told of a channel. */
  heard(from: number, channel: string): void;
  /** The reduction that all ranks do next. */
  next(): string | undefined;
}

export function reductionOrder(
  { rank, size }: { readonly rank: number; readonly size: number },
  tell: (to: number, channel: string) => void,
): ReductionOrder {
  const ready = new Map<string, number>();
  const agreed: string[] = [];
  const isReady = (which: number, channel: string): void => {
    if (rank !== 0) {
      if (which === rank) tell(0, channel);
      return;
    }
    const count = (ready.get(channel) ?? 0) + 1;
    ready.set(channel, count);
    if (count < size) return;
    ready.delete(channel);
    for (let to = 1; to < size; to++) tell(to, channel);
    agreed.push(channel);
  };
  return {
    isReady,
    heard(from, channel) {
      if (rank === 0) isReady(from, channel);
      else agreed.push(channel);
    },
    next: () => agreed.shift(),
  };
}
