/** @file Histograms that grow: a fixed bin width from the first batch on, bins added where later batches reach further. */

import type { Range } from "../../scheme.ts";
import { EMPTY, extent } from "./observer.ts";

export interface Histogram {
  add(values: ArrayLike<number>): void;
  readonly counts: Float64Array;
  /** Lower edge of the first bin. */
  readonly start: number;
  readonly width: number;
  /** The exact least and greatest value seen. */
  readonly seen: Range;
}

/** Bins of `|x|` from 0 on (`of: "magnitude"`), or of `x` over its range (`of: "value"`); `bins` in the first batch. */
export function histogram(bins: number, of: "magnitude" | "value"): Histogram {
  const limit = bins * 4;
  let counts = new Float64Array(0);
  let start = 0;
  let width = 0;
  let seen = EMPTY;

  const begin = (batch: Range): void => {
    start = Math.min(batch.min, 0);
    width = (Math.max(batch.max, 0) - start) / bins;
    if (width === 0) return;
    counts = new Float64Array(bins);
  };
  const grow = (batch: Range): void => {
    while (batch.min < start - width * (limit - counts.length) || batch.max >= start + width * limit) halve();
    const before = Math.max(0, Math.ceil((start - batch.min) / width));
    const needed = Math.max(counts.length, Math.floor((batch.max - start) / width) + (isEdge(batch.max) ? 0 : 1));
    if (before === 0 && needed === counts.length) return;
    const next = new Float64Array(before + needed);
    next.set(counts, before);
    counts = next;
    start -= before * width;
  };
  const isEdge = (value: number): boolean => value === start + counts.length * width;
  const halve = (): void => {
    const half = new Float64Array(Math.ceil(counts.length / 2));
    for (let i = 0; i < counts.length; i++) half[i >> 1]! += counts[i]!;
    counts = half;
    width *= 2;
  };

  return {
    add(values) {
      const data = of === "magnitude" ? new Float64Array(values.length).map((_, i) => Math.abs(values[i]!)) : values;
      const batch = extent(data, EMPTY);
      if (batch.min > batch.max) return;
      seen = extent(values, seen);
      if (width === 0) begin(batch);
      if (width === 0) return;
      grow(batch);
      const last = counts.length - 1;
      for (let i = 0; i < data.length; i++) {
        const bin = Math.floor((data[i]! - start) / width);
        if (bin >= 0 && bin <= last + 1) counts[Math.min(bin, last)]! += 1;
      }
    },
    get counts() {
      return counts;
    },
    get start() {
      return start;
    },
    get width() {
      return width;
    },
    get seen() {
      return seen;
    },
  };
}
