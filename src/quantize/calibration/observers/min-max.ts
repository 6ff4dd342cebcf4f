/** @file The whole range that was seen. */
import { EMPTY, extent, type Observer, orZero } from "./observer.ts";

/** Least and greatest value over all batches; `observe(a); observe(b)` is exactly `observe(ab)`. */
export function minMax(): Observer {
  let range = EMPTY;
  return {
    observe(values) {
      range = extent(values, range);
    },
    range: () => orZero(range),
  };
}
