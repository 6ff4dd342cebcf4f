/** @file The range without its tails. */
import type { Range } from "../../scheme.ts";
import { histogram } from "./histogram.ts";
import { type Observer, type ObserverOptions, orZero } from "./observer.ts";

/** Leaves out `(100 − percent) / 2` per cent of the values at either end, never more than what was seen. */
export function percentile(_options: ObserverOptions = {}, percent = 99.999): Observer {
  const bins = histogram(4096, "value");
  return {
    observe: (values) => bins.add(values),
    range: () => cut(bins, (100 - percent) / 200),
  };
}

function cut({ counts, start, width, seen }: ReturnType<typeof histogram>, tail: number): Range {
  if (width === 0) return orZero(seen);
  const total = counts.reduce((a, b) => a + b, 0);
  const allowed = total * tail;
  let low = 0;
  for (let mass = counts[0]!; mass <= allowed && low < counts.length - 1; mass += counts[low]!) low++;
  let high = counts.length - 1;
  for (let mass = counts[high]!; mass <= allowed && high > low; mass += counts[high]!) high--;
  return {
    min: Math.max(seen.min, start + low * width),
    max: Math.min(seen.max, start + (high + 1) * width),
  };
}
