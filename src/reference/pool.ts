/** @file Poolings over sliding windows and over whole images. */
import { nth } from "../checked.ts";
import { intOf, intsOf, sizeOf } from "../ir/index.ts";
import { bounded, type Dense, dense, numbers } from "./dense.ts";
import { stridesOf } from "./indexing.ts";
import { type Call, inputOf, type Kernel, type Kernels, listInput } from "./kernel.ts";
import { OUTSIDE, tapsOf, type Window, windowOf } from "./window.ts";

/** What one window makes of its cells: `values` are those inside the image, `padding` the number of padded taps. */
type Pooled = (values: readonly number[], padding: number) => number;

function poolWindow(call: Call, x: Dense): Window {
  return windowOf(call, x.dims.slice(2), intsOf(call.node, "kernel_shape")!);
}

function pool(make: (call: Call) => Pooled): Kernel {
  return (call) => {
    const x = inputOf(call, 0);
    const window = poolWindow(call, x);
    const pooled = make(call);
    const result = new Float64Array(bounded(nth(x.dims, 0) * nth(x.dims, 1) * sizeOf(window.output)));
    forEachWindow(x, window, (cells, taps, at) => {
      const inside = taps.filter((tap) => tap >= 0);
      const padding = taps.filter((tap) => tap < 0 && tap !== OUTSIDE).length;
      result[at] = pooled(
        inside.map((tap) => cells[tap]!),
        padding,
      );
    });
    return dense(x.dtype, [...x.dims.slice(0, 2), ...window.output], result);
  };
}

/** Calls back for each plane and output position with the plane's cells and the position's taps. */
function forEachWindow(
  x: Dense,
  window: Window,
  visit: (cells: Float64Array, taps: readonly number[], at: number, plane: number) => void,
): void {
  const values = numbers(x);
  const flat = tapsOf(window);
  const [width, places, cells] = [sizeOf(window.kernel), sizeOf(window.output), sizeOf(window.input)];
  const taps = Array.from({ length: places }, (_, place) => [...flat.subarray(place * width, (place + 1) * width)]);
  for (let plane = 0; plane < nth(x.dims, 0) * nth(x.dims, 1); plane++) {
    const from = values.subarray(plane * cells, (plane + 1) * cells);
    taps.forEach((tap, place) => {
      visit(from, tap, plane * places + place, plane);
    });
  }
}

/** Largest cells and, as the second output, where they lie in the whole input (the first of equals). */
function maxPool(call: Call): Dense[] {
  const x = inputOf(call, 0);
  const window = poolWindow(call, x);
  const cells = sizeOf(window.input);
  const dims = [...x.dims.slice(0, 2), ...window.output];
  const values = new Float64Array(bounded(sizeOf(dims)));
  const places = new Float64Array(bounded(sizeOf(dims)));
  const columnMajor = intOf(call.node, "storage_order", 0) === 1;
  forEachWindow(x, window, (from, taps, at, plane) => {
    let best = -1;
    for (const tap of taps) if (tap >= 0 && (best < 0 || from[tap]! > from[best]!)) best = tap;
    values[at] = best < 0 ? Number.NEGATIVE_INFINITY : from[best]!;
    places[at] = plane * cells + (columnMajor ? columnMajorIndex(best, window.input) : best);
  });
  return [dense(x.dtype, dims, values), dense("int64", dims, places)];
}

function columnMajorIndex(flat: number, dims: readonly number[]): number {
  const strides = stridesOf(dims);
  let step = 1;
  return dims.reduce((sum, length, axis) => {
    const place = (Math.floor(flat / nth(strides, axis)) % length) * step;
    step *= length;
    return sum + place;
  }, 0);
}

/** Puts values back to where `MaxPool` found them. */
function maxUnpool(call: Call): Dense {
  const [x, places] = [inputOf(call, 0), inputOf(call, 1)];
  const kernel = intsOf(call.node, "kernel_shape")!;
  const strides = intsOf(call.node, "strides") ?? kernel.map(() => 1);
  const pads = intsOf(call.node, "pads") ?? [...kernel, ...kernel].map(() => 0);
  const natural = x.dims.map((length, axis) => {
    const i = axis - 2;
    return i < 0
      ? length
      : (length - 1) * nth(strides, i) + nth(kernel, i) - nth(pads, i) - nth(pads, i + kernel.length);
  });
  const dims = listInput(call, 2) ?? natural;
  const result = new Float64Array(bounded(sizeOf(dims)));
  const values = numbers(x);
  // Indices count in the natural dims; a larger output keeps the coordinates.
  const from = stridesOf(natural);
  const to = stridesOf(dims);
  numbers(places).forEach((flat, i) => {
    const at = natural.reduce(
      (sum, length, axis) => sum + (Math.floor(flat / nth(from, axis)) % length) * nth(to, axis),
      0,
    );
    result[at] = values[i]!;
  });
  return dense(x.dtype, dims, result);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function norm(values: readonly number[], p: number): number {
  return sum(values.map((value) => Math.abs(value) ** p)) ** (1 / p);
}

function overPlanes(f: (values: Float64Array, call: Call) => number): Kernel {
  return (call) => {
    const x = inputOf(call, 0);
    const cells = sizeOf(x.dims.slice(2));
    const values = numbers(x);
    const planes = nth(x.dims, 0) * nth(x.dims, 1);
    const result = Array.from({ length: planes }, (_, i) => f(values.subarray(i * cells, (i + 1) * cells), call));
    return dense(x.dtype, [...x.dims.slice(0, 2), ...x.dims.slice(2).map(() => 1)], result);
  };
}

export const poolings = {
  MaxPool: maxPool,
  MaxUnpool: maxUnpool,
  AveragePool: pool(({ node }) => {
    const countsPadding = intOf(node, "count_include_pad", 0) === 1;
    return (values, padding) => sum(values) / (values.length + (countsPadding ? padding : 0));
  }),
  LpPool: pool(({ node }) => {
    const p = intOf(node, "p", 2);
    return (values) => norm(values, p);
  }),
  GlobalAveragePool: overPlanes((values) => sum([...values]) / values.length),
  GlobalMaxPool: overPlanes((values) => values.reduce((a, b) => Math.max(a, b))),
  GlobalLpPool: overPlanes((values, { node }) => norm([...values], intOf(node, "p", 2))),
} satisfies Kernels;
