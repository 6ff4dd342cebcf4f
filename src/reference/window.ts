/** @file Sliding windows of convolutions and poolings: pads, strides, dilations, and which input cell each tap reads. */
import { nth } from "../checked.ts";
import { intOf, intsOf, sizeOf, stringOf } from "../ir/index.ts";
import { bounded } from "./dense.ts";
import { forEachIndex, stridesOf } from "./indexing.ts";
import type { Call } from "./kernel.ts";

export interface Window {
  /** Spatial dims of the input, the kernel and the output. */
  readonly input: readonly number[];
  readonly kernel: readonly number[];
  readonly output: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Cells added before each axis. */
  readonly before: readonly number[];
  /** Cells added after each axis. */
  readonly after: readonly number[];
}

/** The window of a node over an input of the given spatial dims. */
export function windowOf({ node }: Call, input: readonly number[], kernel: readonly number[]): Window {
  const ones = kernel.map(() => 1);
  const strides = intsOf(node, "strides") ?? ones;
  const dilations = intsOf(node, "dilations") ?? ones;
  const extent = kernel.map((length, i) => (length - 1) * nth(dilations, i) + 1);
  const mode = stringOf(node, "auto_pad", "NOTSET");
  const same = mode.startsWith("SAME");
  const explicit = mode === "NOTSET" ? intsOf(node, "pads") : undefined;
  const pads = explicit ?? [...kernel, ...kernel].map(() => 0);
  const total = input.map((length, i) => {
    const needed = (Math.ceil(length / nth(strides, i)) - 1) * nth(strides, i) + nth(extent, i) - length;
    return same ? Math.max(0, needed) : nth(pads, i) + nth(pads, i + kernel.length);
  });
  const before = total.map((cells, i) => {
    if (!same) return nth(pads, i);
    return mode === "SAME_UPPER" ? Math.floor(cells / 2) : Math.ceil(cells / 2);
  });
  const after = total.map((cells, i) => cells - nth(before, i));
  const ceiling = intOf(node, "ceil_mode", 0) === 1 && !same;
  const output = input.map((length, i) => {
    const places = (length + nth(total, i) - nth(extent, i)) / nth(strides, i);
    if (!ceiling) return Math.floor(places) + 1;
    // A last window that would start in the padding after the input is left out.
    const count = Math.ceil(places) + 1;
    return (count - 1) * nth(strides, i) >= length + nth(before, i) ? count - 1 : count;
  });
  bounded(sizeOf(output) * sizeOf(kernel));
  return { input, kernel, output, strides, dilations, before, after };
}

/**
 * For each output position and each tap of the kernel, row by row, the flat spatial index of the input cell;
 * `PAD` where the tap lies in the padding, `OUTSIDE` where even that ends (ceil mode).
 */
export function tapsOf({ input, kernel, output, strides, dilations, before, after }: Window): Int32Array {
  const taps = new Int32Array(bounded(sizeOf(output) * sizeOf(kernel)));
  const steps = stridesOf(input);
  const width = sizeOf(kernel);
  forEachIndex(output, (place, row) => {
    forEachIndex(kernel, (tap, column) => {
      let flat = 0;
      for (let i = 0; i < input.length; i++) {
        const at = nth(place, i) * nth(strides, i) + nth(tap, i) * nth(dilations, i) - nth(before, i);
        if (at >= nth(input, i) + nth(after, i)) flat = OUTSIDE;
        else if ((at < 0 || at >= nth(input, i)) && flat !== OUTSIDE) flat = PAD;
        else if (flat >= 0) flat += at * nth(steps, i);
      }
      taps[row * width + column] = flat;
    });
  });
  return taps;
}

export const PAD = -1;
export const OUTSIDE = -2;
