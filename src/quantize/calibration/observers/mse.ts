/** @file The range with the least mean squared error of quantization. */
import { nth } from "../../../checked.ts";
import { checkOptions, type OptionNames } from "../../../options.ts";
import {
  dequantizeValue,
  type Limits,
  type Parameters,
  parametersOf,
  quantizeValue,
  type Range,
} from "../../scheme.ts";
import { type Histogram, histogram } from "./histogram.ts";
import { type Observer, type ObserverOptions, orZero } from "./observer.ts";

const STEPS = 50;
const SMALLEST = 0.2;

const observerOptionsNames: OptionNames<ObserverOptions> = { levels: true, symmetric: true };

/**
 * Searches ranges inside what was seen, first the upper end, then the lower one, then the upper one again (both at once when
 * symmetric), for the least Σ count·(x − dequantize(quantize(x)))² over a histogram.
 */
export function meanSquaredError(options: ObserverOptions = {}): Observer {
  const { levels = 256, symmetric = false } = checkOptions(options, observerOptionsNames);
  const bins = histogram(2048, "value");
  const limits = { low: 0, high: levels - 1 };
  return {
    observe: (values) => bins.add(values),
    range: () => search(bins, limits, symmetric),
  };
}

function search(bins: Histogram, limits: Limits, symmetric: boolean): Range {
  const error = (range: Range): number => squaredError(bins, parametersOf(range, limits, symmetric), limits);
  const full = orZero(bins.seen);
  if (symmetric) {
    const edge = Math.max(-full.min, full.max);
    return best(
      fractions.map((f) => ({ min: Math.max(full.min, -edge * f), max: Math.min(full.max, edge * f) })),
      error,
    );
  }
  let range = full;
  for (const end of ["max", "min", "max"] as const) {
    if (full[end] === 0) continue;
    range = best(
      fractions.map((f) => ({ ...range, [end]: full[end] * f })),
      error,
    );
  }
  return range;
}

/** 1 first, so that ties keep the whole range. */
const fractions = Array.from({ length: STEPS + 1 }, (_, i) => 1 - (i / STEPS) * (1 - SMALLEST));

function best(ranges: readonly Range[], error: (range: Range) => number): Range {
  let least = Infinity;
  let found = nth(ranges, 0);
  for (const range of ranges) {
    const now = error(range);
    if (now < least) [least, found] = [now, range];
  }
  return found;
}

/** Values are taken at the middle of their bin, except in the bin that holds zero, which is exact. */
function squaredError({ counts, start, width }: Histogram, parameters: Parameters, limits: Limits): number {
  let sum = 0;
  for (let i = 0; i < counts.length; i++) {
    const count = counts[i]!;
    if (count === 0) continue;
    const low = start + i * width;
    if (low <= 0 && low + width > 0) continue;
    const middle = low + width / 2;
    const difference = middle - dequantizeValue(quantizeValue(middle, parameters, limits), parameters);
    // A bin wider than a step spreads over many integers: their mean error is a twelfth of the squared step.
    sum += count * difference * difference;
  }
  return sum;
}
