/** @file Numbers that ranks reduce: parts of them, and how two become one. */
import { ShapeError, UnsupportedError } from "../../errors.ts";

export type Values = Float32Array | Float64Array | Int32Array;

/** How the numbers of several ranks become one. */
export type ReduceOperation = "sum" | "max" | "min";

/** Reduces `other` into `values`, element by element. */
export type Combine = (values: Values, other: Values) => void;

const combines: Readonly<Record<ReduceOperation, Combine>> = {
  sum(values, other) {
    for (let i = 0; i < values.length; i++) values[i]! += other[i]!;
  },
  max(values, other) {
    for (let i = 0; i < values.length; i++) values[i] = Math.max(values[i]!, other[i]!);
  },
  min(values, other) {
    for (let i = 0; i < values.length; i++) values[i] = Math.min(values[i]!, other[i]!);
  },
};

export const reduceOperations = Object.keys(combines) as readonly ReduceOperation[];

export function combineBy(operation: ReduceOperation): Combine {
  const combine = combines[operation];
  if (combine) return combine;
  throw new UnsupportedError("there is no such reduction", {
    expected: reduceOperations.join(", "),
    got: String(operation),
  });
}

/** The `index`-th of `count` parts, whose lengths differ by one at most. */
export function partOf<T extends Values>(values: T, index: number, count: number): T {
  return values.subarray(bound(values.length, index, count), bound(values.length, index + 1, count)) as T;
}

/** The parts from the `first`-th to before the `end`-th, which lie side by side. */
export function partsOf<T extends Values>(values: T, first: number, end: number, count: number): T {
  return values.subarray(bound(values.length, first, count), bound(values.length, end, count)) as T;
}

function bound(length: number, index: number, count: number): number {
  return Math.floor((length * index) / count);
}

/**
 * The numbers of a message, of the kind of `like` and as many.
 *
 * @throws ShapeError where a rank sent another number of them
 */
export function valuesFrom<T extends Values>(message: Uint8Array<ArrayBuffer>, like: T, from: number): T {
  if (message.length !== like.byteLength) {
    throw new ShapeError("ranks reduce the same number of values", {
      expected: `${like.byteLength} bytes`,
      got: `${message.length}`,
      where: `rank ${from}`,
    });
  }
  const View = like.constructor as new (buffer: ArrayBuffer, offset: number, length: number) => T;
  return new View(message.buffer, message.byteOffset, like.length);
}
