/** @file Sampling images at real positions: `GridSample`, `AffineGrid`, `RoiAlign`. */
import { atLeast, nth } from "../checked.ts";
import { floatOf, intOf, maxOf, sizeOf, stringOf } from "../ir/index.ts";
import { bilinear } from "./conv.ts";
import { bounded, type Dense, dense, numbers } from "./dense.ts";
import { forEachIndex, stridesOf } from "./indexing.ts";
import { type Call, inputOf, type Kernels, unsupported } from "./kernel.ts";

/** Brings an index into the image, or gives -1 for zero. */
type Padding = (at: number, length: number, aligned: boolean) => number;

const paddings: Readonly<Record<string, Padding>> = {
  zeros: (at, length) => (at < 0 || at >= length ? -1 : at),
  border: (at, length) => Math.min(length - 1, Math.max(0, at)),
  reflection: (at, length, aligned) => reflected(at, aligned ? 0 : -0.5, aligned ? length - 1 : length - 0.5),
};

/** Mirrored at both ends until it lies between them. */
function reflected(at: number, low: number, high: number): number {
  const range = high - low;
  if (range <= 0) return 0;
  const distance = at < low ? low - at : at - low;
  if (at >= low && at <= high) return at;
  const turns = Math.floor(distance / range);
  const rest = distance - turns * range;
  return turns % 2 === 0 ? low + rest : high - rest;
}

function cubicWeights(t: number): number[] {
  const a = -0.75;
  const near = (d: number): number => ((a + 2) * d - (a + 3)) * d * d + 1;
  const far = (d: number): number => ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
  return [far(t + 1), near(t), near(1 - t), far(2 - t)];
}

/** Cells along one axis with their weights. */
function axisTaps(mode: string, x: number): { at: number; weight: number }[] {
  const floor = Math.floor(x);
  if (mode === "nearest") return [{ at: halfEven(x), weight: 1 }];
  if (mode === "cubic" || mode === "bicubic") {
    return cubicWeights(x - floor).map((weight, i) => ({ at: floor - 1 + i, weight }));
  }
  return [
    { at: floor, weight: 1 - (x - floor) },
    { at: floor + 1, weight: x - floor },
  ];
}

function halfEven(x: number): number {
  const floor = Math.floor(x);
  if (x - floor !== 0.5) return Math.round(x);
  return floor % 2 === 0 ? floor : floor + 1;
}

/** Grid entries are (x, y, …) from −1 to 1, the last axis of the image first. */
function gridSample(call: Call): Dense {
  const [x, grid] = [inputOf(call, 0), inputOf(call, 1)];
  const { node } = call;
  const mode = stringOf(node, "mode", "linear");
  const aligned = intOf(node, "align_corners", 0) === 1;
  const padding = paddings[stringOf(node, "padding_mode", "zeros")];
  if (!padding) throw unsupported(call, "this padding mode");
  const image = x.dims.slice(2);
  const strides = stridesOf(image);
  const [cells, rank] = [sizeOf(image), image.length];
  const [batch, channels] = [nth(x.dims, 0), nth(x.dims, 1)];
  const places = grid.dims.slice(1, -1);
  const [values, points] = [numbers(x), numbers(grid)];
  const result = new Float64Array(bounded(batch * channels * sizeOf(places)));
  const position = (at: number, axis: number): number => {
    const length = nth(image, axis);
    const point = points[at * rank + (rank - 1 - axis)]!;
    const real = aligned ? ((point + 1) / 2) * (length - 1) : ((point + 1) * length - 1) / 2;
    if (mode === "cubic" || mode === "bicubic") return real;
    return stringOf(node, "padding_mode", "zeros") === "zeros" ? real : padding(real, length, aligned);
  };
  const sample = (
    start: number,
    taps: readonly { at: number; weight: number }[][],
    axis: number,
    flat: number,
  ): number => {
    if (axis === rank) return values[start + flat]!;
    let sum = 0;
    for (const { at, weight } of nth(taps, axis)) {
      const inside = padding(at, nth(image, axis), aligned);
      if (inside >= 0) sum += weight * sample(start, taps, axis + 1, flat + Math.round(inside) * nth(strides, axis));
    }
    return sum;
  };
  for (let n = 0; n < batch; n++) {
    for (let place = 0; place < sizeOf(places); place++) {
      const taps = image.map((_, axis) => axisTaps(mode, position(n * sizeOf(places) + place, axis)));
      for (let c = 0; c < channels; c++) {
        const plane = n * channels + c;
        result[plane * sizeOf(places) + place] = sample(plane * cells, taps, 0, 0);
      }
    }
  }
  return dense(x.dtype, [batch, channels, ...places], result);
}

/** theta · (x, y, …, 1) for evenly spaced positions. */
function affineGrid(call: Call): Dense {
  const [theta, size] = [inputOf(call, 0), [...numbers(inputOf(call, 1))]];
  const aligned = intOf(call.node, "align_corners", 0) === 1;
  const image = size.slice(2);
  const rank = image.length;
  const matrix = numbers(theta);
  const spot = (at: number, length: number): number => {
    if (aligned) return length > 1 ? (2 * at) / (length - 1) - 1 : 1;
    return (2 * at + 1) / length - 1;
  };
  const result = new Float64Array(bounded(nth(size, 0) * sizeOf(image) * rank));
  forEachIndex([nth(size, 0), ...image, rank], (index, flat) => {
    const row = nth(index, rank + 1);
    const at = (nth(index, 0) * rank + row) * (rank + 1);
    let sum = matrix[at + rank]!;
    for (let i = 0; i < rank; i++) sum += matrix[at + i]! * spot(nth(index, rank - i), nth(image, rank - 1 - i));
    result[flat] = sum;
  });
  return dense(theta.dtype, [nth(size, 0), ...image, rank], result);
}

interface Bins {
  /** Where the region starts, on both axes, and how large a bin and how many samples it takes. */
  readonly start: readonly [number, number];
  readonly size: readonly [number, number];
  readonly samples: readonly [number, number];
}

function binsOf({ node, version }: Call, roi: Float64Array, out: readonly [number, number]): Bins {
  const scale = floatOf(node, "spatial_scale", 1);
  const half = version >= 16 && stringOf(node, "coordinate_transformation_mode", "half_pixel") === "half_pixel";
  const shift = half ? 0.5 : 0;
  const [x1, y1, x2, y2] = [...roi].map((value) => value * scale - shift) as [number, number, number, number];
  const least = half ? Number.NEGATIVE_INFINITY : 1;
  const extent = [Math.max(least, y2 - y1), Math.max(least, x2 - x1)] as const;
  const size = [extent[0] / out[0], extent[1] / out[1]] as const;
  const ratio = intOf(node, "sampling_ratio", 0);
  const samples = ratio > 0 ? ([ratio, ratio] as const) : ([Math.ceil(size[0]), Math.ceil(size[1])] as const);
  return { start: [y1, x1], size, samples };
}

/** Each bin of a region is the mean (or the largest) of bilinear samples on a regular grid inside it. */
function roiAlign(call: Call): Dense {
  const [x, rois, batches] = [inputOf(call, 0), numbers(inputOf(call, 1)), numbers(inputOf(call, 2))];
  const out = [intOf(call.node, "output_height", 1), intOf(call.node, "output_width", 1)] as const;
  const takesMax = stringOf(call.node, "mode", "avg") === "max";
  const [channels, image] = [nth(x.dims, 1), x.dims.slice(2)];
  const values = numbers(x);
  const dims = [batches.length, channels, ...out] as const;
  const result = new Float64Array(bounded(sizeOf(dims)));
  forEachIndex(dims, ([r, c, row, column], flat) => {
    const { start, size, samples } = binsOf(call, rois.subarray(r * 4, r * 4 + 4), out);
    const plane = (batches[r]! * channels + c) * sizeOf(image);
    let [sum, best] = [0, Number.NEGATIVE_INFINITY];
    forEachIndex(samples, ([i, j]) => {
      const py = start[0] + row * size[0] + ((i + 0.5) * size[0]) / samples[0];
      const px = start[1] + column * size[1] + ((j + 0.5) * size[1]) / samples[1];
      const parts = clampedBilinear(values, plane, image, py, px);
      sum += parts.reduce((a, b) => a + b, 0);
      best = maxOf(parts, best);
    });
    result[flat] = takesMax ? best : sum / Math.max(1, sizeOf(samples));
  });
  return dense(x.dtype, dims, result);
}

/** The four weighted corners of a sample; positions up to one cell outside count as the edge, beyond that as zero. */
function clampedBilinear(values: Float64Array, start: number, dims: readonly number[], y: number, x: number): number[] {
  const [height, width] = atLeast(dims, 2);
  if (y < -1 || y > height || x < -1 || x > width) return [0, 0, 0, 0];
  const [py, px] = [Math.min(height - 1, Math.max(0, y)), Math.min(width - 1, Math.max(0, x))];
  const [top, left] = [Math.floor(py), Math.floor(px)];
  const [fy, fx] = [py - top, px - left];
  const cell = (row: number, column: number): number =>
    bilinear(values, start, dims, Math.min(row, height - 1), Math.min(column, width - 1));
  return [
    (1 - fy) * (1 - fx) * cell(top, left),
    (1 - fy) * fx * cell(top, left + 1),
    fy * (1 - fx) * cell(top + 1, left),
    fy * fx * cell(top + 1, left + 1),
  ];
}

export const samplings = { GridSample: gridSample, AffineGrid: affineGrid, RoiAlign: roiAlign } satisfies Kernels;
