/** @file `Resize` and `Upsample`: each axis has its own weights, so the axes are resized one after another. */
import { nth } from "../checked.ts";
import { floatOf, floatsAttribute, intOf, intsOf, maxOf, minOf, stringOf } from "../ir/index.ts";
import { bounded, type Dense, dense, numbers } from "./dense.ts";
import { forEachIndex, linesOf, normalAxis } from "./indexing.ts";
import { type Call, inputOf, type Kernels, listInput, optionalInput, unsupported } from "./kernel.ts";

/** One axis to be resized. */
interface Axis {
  readonly axis: number;
  readonly from: number;
  readonly to: number;
  readonly scale: number;
  /** The region of interest as fractions of the axis. */
  readonly start: number;
  readonly end: number;
}

interface Tap {
  readonly at: number;
  readonly weight: number;
}

type Coordinate = (at: number, axis: Axis) => number;

/** From a place in the result to a real place in the input, by `coordinate_transformation_mode`. */
const coordinates: Readonly<Record<string, Coordinate>> = {
  half_pixel: (at, { scale }) => (at + 0.5) / scale - 0.5,
  half_pixel_symmetric: (at, { scale, from, to }) => {
    const shift = (from / 2) * (1 - to / (scale * from));
    return shift + (at + 0.5) / scale - 0.5;
  },
  pytorch_half_pixel: (at, { scale, to }) => (to > 1 ? (at + 0.5) / scale - 0.5 : 0),
  align_corners: (at, { from, to }) => (to > 1 ? (at * (from - 1)) / (to - 1) : 0),
  asymmetric: (at, { scale }) => at / scale,
  tf_half_pixel_for_nn: (at, { scale }) => (at + 0.5) / scale,
  tf_crop_and_resize: (at, { from, to, start, end }) =>
    to > 1 ? start * (from - 1) + (at * (end - start) * (from - 1)) / (to - 1) : 0.5 * (start + end) * (from - 1),
};

const nearest: Readonly<Record<string, (x: number) => number>> = {
  round_prefer_floor: (x) => Math.ceil(x - 0.5),
  round_prefer_ceil: (x) => Math.floor(x + 0.5),
  floor: Math.floor,
  ceil: Math.ceil,
};

/** The hat function. */
function linearKernel(distance: number): number {
  return Math.max(0, 1 - Math.abs(distance));
}

/** Keys' cubic convolution kernel with parameter a. */
function cubicKernel(a: number): (distance: number) => number {
  return (distance) => {
    const d = Math.abs(distance);
    if (d < 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
    return d < 2 ? (((d - 5) * d + 8) * d - 4) * a : 0;
  };
}

interface Method {
  readonly coordinate: Coordinate;
  taps(x: number, axis: Axis): Tap[];
}

function methodOf(call: Call): Method {
  const { node } = call;
  const mode = stringOf(node, "mode", "nearest");
  const legacy = call.version < 11;
  const coordinate =
    coordinates[legacy ? "asymmetric" : stringOf(node, "coordinate_transformation_mode", "half_pixel")];
  if (!coordinate) throw unsupported(call, "this coordinate transformation");
  if (mode === "nearest") {
    const round = nearest[legacy ? "floor" : stringOf(node, "nearest_mode", "round_prefer_floor")]!;
    return { coordinate, taps: (x, { from }) => [{ at: clamp(round(x), from), weight: 1 }] };
  }
  const cubic = mode === "cubic";
  const kernel = cubic ? cubicKernel(floatOf(node, "cubic_coeff_a", -0.75)) : linearKernel;
  const antialias = intOf(node, "antialias", 0) === 1;
  const exclude = intOf(node, "exclude_outside", 0) === 1;
  return {
    coordinate,
    taps(x, { from, scale }) {
      const stretch = antialias ? Math.min(1, scale) : 1;
      return kernelTaps(x, (cubic ? 2 : 1) / stretch, (distance) => kernel(distance * stretch), from, exclude);
    },
  };
}

/** Weighted cells around `x`, normalized. Cells outside repeat the edge, or are left out. */
function kernelTaps(x: number, reach: number, kernel: (d: number) => number, length: number, exclude: boolean): Tap[] {
  const taps: Tap[] = [];
  for (let at = Math.ceil(x - reach); at <= Math.floor(x + reach); at++) {
    if (exclude && (at < 0 || at >= length)) continue;
    taps.push({ at: clamp(at, length), weight: kernel(at - x) });
  }
  const sum = taps.reduce((total, { weight }) => total + weight, 0);
  return taps.map(({ at, weight }) => ({ at, weight: weight / sum }));
}

function clamp(at: number, length: number): number {
  return Math.min(length - 1, Math.max(0, at));
}

function resizedAlong(x: Dense, axis: Axis, { coordinate, taps }: Method): Dense {
  const rows = Array.from({ length: bounded(axis.to) }, (_, at) => taps(coordinate(at, axis), axis));
  const { outer, length, inner } = linesOf(x.dims, axis.axis);
  const values = numbers(x);
  const result = new Float64Array(bounded(outer * axis.to * inner));
  for (let o = 0; o < outer; o++) {
    rows.forEach((row, to) => {
      for (const { at, weight } of row) {
        const [from, target] = [(o * length + at) * inner, (o * axis.to + to) * inner];
        for (let i = 0; i < inner; i++) result[target + i]! += weight * values[from + i]!;
      }
    });
  }
  return dense(x.dtype, x.dims.with(axis.axis, axis.to), result);
}

/** What each axis is resized to, from scales, or from sizes under the aspect policy. */
function axesOf(call: Call, x: Dense): Axis[] {
  const { node } = call;
  const rank = x.dims.length;
  const inputScales = call.version < 11 ? listInput(call, 1) : listInput(call, 2);
  const scales = inputScales?.length ? inputScales : floatsAttribute(node, "scales");
  const sizes = listInput(call, 3);
  const axes = intsOf(node, "axes")?.map((axis) => normalAxis(axis, rank)) ?? [...x.dims.keys()];
  const region = call.version < 11 ? undefined : listInput(call, 1);
  const crops = stringOf(node, "coordinate_transformation_mode") === "tf_crop_and_resize";
  const policy = stringOf(node, "keep_aspect_ratio_policy", "stretch");
  const ratios = sizes && axes.map((axis, i) => nth(sizes, i) / nth(x.dims, axis));
  const common = ratios && (policy === "not_larger" ? minOf(ratios) : maxOf(ratios));
  return axes.map((axis, i) => {
    const from = nth(x.dims, axis);
    const start = crops ? (region?.[i] ?? 0) : 0;
    const end = crops ? (region?.[i + axes.length] ?? 1) : 1;
    const place = { axis, from, start, end };
    if (!sizes || !ratios) return { ...place, to: Math.floor(from * nth(scales!, i)), scale: nth(scales!, i) };
    if (policy === "stretch") return { ...place, to: nth(sizes, i), scale: nth(ratios, i) };
    return { ...place, to: Math.floor(common! * from + 0.5), scale: common! };
  });
}

function resize(call: Call): Dense {
  const x = inputOf(call, 0);
  const axes = axesOf(call, x);
  // Where no axis changes its length, the runtime reads no region either.
  if (axes.every(({ from, to, scale }) => from === to && scale === 1)) return x;
  const method = methodOf(call);
  const y = axes
    .filter(({ from, to, scale, start, end }) => from !== to || scale !== 1 || start !== 0 || end !== 1)
    .reduce((current, axis) => resizedAlong(current, axis, method), x);
  const crops = stringOf(call.node, "coordinate_transformation_mode") === "tf_crop_and_resize";
  return crops ? extrapolated(call, y, axes, method.coordinate) : y;
}

/** Cropping beyond the input gives a fixed value there. */
function extrapolated(call: Call, y: Dense, axes: readonly Axis[], coordinate: Coordinate): Dense {
  const value = floatOf(call.node, "extrapolation_value", 0);
  const values = numbers(y).slice();
  forEachIndex(y.dims, (index, flat) => {
    const outside = axes.some((axis) => {
      const at = coordinate(nth(index, axis.axis), axis);
      return at < 0 || at > axis.from - 1;
    });
    if (outside) values[flat] = value;
  });
  return dense(y.dtype, y.dims, values);
}

export const resizes = {
  Resize: resize,
  Upsample: (call) => (optionalInput(call, 1) ? resize({ ...call, version: 10 }) : resize({ ...call, version: 7 })),
} satisfies Kernels;
