/** @file Arrays that a part of an exchange keeps for each tensor, and their state. */
import { ShapeError, UsageError } from "../../errors.ts";
import type { ExchangeState } from "./exchange.ts";

/** Arrays by kind and tensor. Those that were never set are zeros. */
export interface Slots {
  /** The array itself, which may be changed in place. */
  of(kind: string, name: string, length: number): Float32Array;
  readState(): ExchangeState;
  restore(state: ExchangeState): void;
}

/** The state has one entry for each array, named `KIND TENSOR`. */
export function slots(kinds: readonly string[]): Slots {
  const arrays = new Map<string, Float32Array>();
  return {
    of(kind, name, length) {
      const key = `${kind} ${name}`;
      const array = arrays.get(key) ?? new Float32Array(length);
      if (array.length !== length) {
        throw new ShapeError("the state of an exchange is of a tensor of another size", {
          expected: `${length} values`,
          got: `${array.length}`,
          where: key,
        });
      }
      arrays.set(key, array);
      return array;
    },
    readState: () => new Map([...arrays].map(([key, array]) => [key, array.slice()])),
    restore(state) {
      const unknown = [...state.keys()].find((key) => !kinds.some((kind) => key.startsWith(`${kind} `)));
      if (unknown !== undefined) throw otherState(kinds, unknown);
      arrays.clear();
      for (const [key, array] of state) arrays.set(key, array.slice());
    },
  };
}

function otherState(kinds: readonly string[], got: string): UsageError {
  return new UsageError("a state belongs to the exchange that it was read from", {
    expected: kinds.length > 0 ? `names that begin with ${kinds.join(", ")}` : "no entries",
    got: JSON.stringify(got),
  });
}

/** What keeps nothing. */
export const nothingKept: Pick<Slots, "readState" | "restore"> = slots([]);
