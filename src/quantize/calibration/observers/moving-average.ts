/** @file Ranges of batches, averaged. */
import { EMPTY, extent, type Observer, type ObserverOptions, orZero } from "./observer.ts";

/** `r ← r + c (batch − r)` on both ends, starting from the first batch; less swayed by one odd batch than min-max. */
export function movingAverage(_options: ObserverOptions = {}, momentum = 0.1): Observer {
  let range = EMPTY;
  return {
    observe(values) {
      const batch = extent(values, EMPTY);
      if (batch.min > batch.max) return;
      const step = range.min > range.max ? 1 : momentum;
      const from = step === 1 ? batch : range;
      range = { min: from.min + step * (batch.min - from.min), max: from.max + step * (batch.max - from.max) };
    },
    range: () => orZero(range),
  };
}
