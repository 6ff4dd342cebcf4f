/** @file The interface of an observer. */
import type { Range } from "../../scheme.ts";

/** Gathers the values of one tensor over the calibration batches and says which range to represent. */
export interface Observer {
  /** Takes one batch. Values that are not finite are ignored. */
  observe(values: ArrayLike<number>): void;
  /** The range so far; `[0, 0]` when nothing was seen. */
  range(): Range;
}

/** What an observer may know of the type that will hold the values. */
export interface ObserverOptions {
  /** Number of integers that the range is spread over; default 256. */
  readonly levels?: number;
  readonly symmetric?: boolean;
}

export type ObserverFactory = (options?: ObserverOptions) => Observer;

/** The least and greatest finite value, widened from `start`. */
export function extent(values: ArrayLike<number>, start: Range): Range {
  let { min, max } = start;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (value < min && value !== -Infinity) min = value;
    if (value > max && value !== Infinity) max = value;
  }
  return { min, max };
}

export const EMPTY: Range = { min: Infinity, max: -Infinity };

/** The range, or `[0, 0]` when it is empty. */
export function orZero(range: Range): Range {
  return range.min <= range.max ? range : { min: 0, max: 0 };
}
