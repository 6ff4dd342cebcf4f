/** @file The clipping threshold that loses least information (8-bit Inference with TensorRT, GTC 2017). */
import { checkOptions, type OptionNames } from "../../../options.ts";
import type { Range } from "../../scheme.ts";
import { histogram } from "./histogram.ts";
import { type Observer, type ObserverOptions, orZero } from "./observer.ts";

const BINS = 2048;

const observerOptionsNames: OptionNames<ObserverOptions> = { levels: true, symmetric: true };

/**
 * Histogram of |x| with 2048 bins; of all thresholds that leave a bin to each quantized magnitude, the last that minimises KL(P‖Q),
 * where P is the histogram with the clipped mass in its last bin and Q the same bins merged into as many groups as there are
 * magnitudes: half of the levels, or all where values have one sign and the type is not symmetric.
 */
export function entropy(options: ObserverOptions = {}): Observer {
  const { levels = 256, symmetric = false } = checkOptions(options, observerOptionsNames);
  const bins = histogram(BINS, "magnitude");
  return {
    observe: (values) => bins.add(values),
    range() {
      const { counts, width, seen } = bins;
      if (width === 0) return orZero(seen);
      const isOneSided = seen.min >= 0 || seen.max <= 0;
      const edge = entropyThreshold(counts, isOneSided && !symmetric ? levels : Math.ceil(levels / 2)) * width;
      return clipped(seen, edge);
    },
  };
}

function clipped({ min, max }: Range, edge: number): Range {
  return { min: Math.max(min, -edge), max: Math.min(max, edge) };
}

/** The number of bins to keep: at least `groups`, the number of quantized magnitudes; all where there are fewer. */
export function entropyThreshold(histogramCounts: ArrayLike<number>, groups = 128): number {
  const counts = Float64Array.from(histogramCounts);
  if (counts.length > 1) counts[0] = counts[1]!;
  const total = counts.reduce((a, b) => a + b, 0);
  let best = counts.length;
  let least = Infinity;
  let kept = 0;
  for (let i = 0; i < Math.min(groups, counts.length); i++) kept += counts[i]!;
  for (let i = groups; i <= counts.length; i++) {
    const divergence = divergenceAt(counts, i, groups, kept, total);
    if (divergence <= least) {
      least = divergence;
      best = i;
    }
    if (i < counts.length) kept += counts[i]!;
  }
  return best;
}

/** KL(P‖Q) for the first `length` bins; infinite where Q has no mass under P. */
function divergenceAt(counts: Float64Array, length: number, groups: number, kept: number, total: number): number {
  const clippedMass = total - kept;
  let sum = 0;
  for (let group = 0; group < groups; group++) {
    const from = Math.ceil((group * length) / groups);
    const to = Math.ceil(((group + 1) * length) / groups);
    let mass = 0;
    let filled = 0;
    for (let i = from; i < to; i++) {
      mass += counts[i]!;
      if (counts[i] !== 0) filled++;
    }
    const q = filled === 0 ? 0 : mass / filled / kept;
    for (let i = from; i < to; i++) {
      const own = counts[i]!;
      const p = (own + (i === length - 1 ? clippedMass : 0)) / total;
      if (p === 0) continue;
      if (own === 0 || q === 0) return Infinity;
      sum += p * Math.log(p / q);
    }
  }
  return sum;
}
