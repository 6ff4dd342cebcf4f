/**
 * @file Resizing by separable filters with antialiasing: when shrinking by s, the filter is widened by s, so that every
 * source pixel counts. Weights are doubles rounded to 22-bit fixed point, rows before columns with 8-bit values between:
 * the arithmetic of Pillow, so that pictures come out as they did for the networks' training.
 */
import { ensure, LimitError } from "../errors.ts";
import type { Image } from "./image.ts";
import { limits } from "./limits.ts";

interface Filter {
  /** Half width in source pixels at scale 1. */
  readonly support: number;
  weight(x: number): number;
}

const filters = {
  box: { support: 0.5, weight: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bilinear: { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  bicubic: { support: 2, weight: (x) => cubic(Math.abs(x), -0.5) },
  lanczos: { support: 3, weight: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
} as const satisfies Record<string, Filter>;

export type ResampleFilter = keyof typeof filters;
export const resampleFilters = Object.keys(filters) as [ResampleFilter, ...ResampleFilter[]];

const fractionBits = 22;

/**
 * The image at another size; the same object when the size is the same.
 * @throws LimitError before memory is taken for more than `limits.imagePixels`.
 */
export function resample(image: Image, width: number, height: number, filter: ResampleFilter): Image {
  checkSize(image, width, height);
  return resampleRows(resampleColumns(image, width, filters[filter]), height, filters[filter]);
}

/** Columns come first, so that the picture of the new width and the old height must fit, too. */
function checkSize(from: Image, width: number, height: number): void {
  const pixels = width * Math.max(height, from.height);
  ensure(
    (width === from.width && height === from.height) || pixels <= limits.imagePixels,
    () =>
      new LimitError("a picture is resized to too many pixels", {
        expected: `at most ${limits.imagePixels}`,
        got: `${width}×${height} from ${from.width}×${from.height}`,
        hint: "Resize to a smaller size, or crop long pictures before.",
      }),
  );
}

/** The size at which the shorter side is `shorter` and the aspect ratio is kept, the longer side rounded down. */
export function sizeWithShorterSide(image: Image, shorter: number): { width: number; height: number } {
  const { width, height } = image;
  if (width <= height) return { width: shorter, height: Math.floor((shorter * height) / width) };
  return { width: Math.floor((shorter * width) / height), height: shorter };
}

function resampleColumns(image: Image, width: number, filter: Filter): Image {
  if (width === image.width) return image;
  const { height, channels } = image;
  const { first, counts, weights, stride } = plan(image.width, width, filter);
  const source = image.pixels;
  const pixels = new Uint8Array(width * height * channels);
  let out = 0;
  for (let y = 0; y < height; y++) {
    const row = y * image.width * channels;
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < channels; c++) {
        let at = row + first[x]! * channels + c;
        let sum = 1 << (fractionBits - 1);
        for (let k = x * stride; k < x * stride + counts[x]!; k++, at += channels) sum += source[at]! * weights[k]!;
        pixels[out++] = clip(sum >> fractionBits);
      }
    }
  }
  return { width, height, channels, pixels };
}

function resampleRows(image: Image, height: number, filter: Filter): Image {
  if (height === image.height) return image;
  const { width, channels } = image;
  const { first, counts, weights, stride } = plan(image.height, height, filter);
  const source = image.pixels;
  const rowLength = width * channels;
  const pixels = new Uint8Array(height * rowLength);
  const sums = new Int32Array(rowLength);
  for (let y = 0; y < height; y++) {
    sums.fill(1 << (fractionBits - 1));
    for (let k = 0; k < counts[y]!; k++) {
      const weight = weights[y * stride + k]!;
      const row = (first[y]! + k) * rowLength;
      for (let i = 0; i < rowLength; i++) sums[i]! += source[row + i]! * weight;
    }
    for (let i = 0; i < rowLength; i++) pixels[y * rowLength + i] = clip(sums[i]! >> fractionBits);
  }
  return { width, height, channels, pixels };
}

interface Plan {
  /** First source pixel of every output pixel. */
  readonly first: Int32Array;
  readonly counts: Int32Array;
  /** `stride` fixed-point weights per output pixel, of which `counts` are used. */
  readonly weights: Int32Array;
  readonly stride: number;
}

function plan(from: number, to: number, filter: Filter): Plan {
  const scale = from / to;
  const widening = Math.max(scale, 1);
  const narrowing = 1 / widening;
  const support = filter.support * widening;
  const stride = Math.ceil(support) * 2 + 1;
  const first = new Int32Array(to);
  const counts = new Int32Array(to);
  const weights = new Int32Array(to * stride);
  for (let i = 0; i < to; i++) {
    const center = (i + 0.5) * scale;
    const start = Math.max(0, Math.trunc(center - support + 0.5));
    const end = Math.min(from, Math.trunc(center + support + 0.5));
    const raw = Array.from({ length: end - start }, (_, k) => filter.weight((k + start - center + 0.5) * narrowing));
    const total = raw.reduce((sum, weight) => sum + weight, 0);
    first[i] = start;
    counts[i] = end - start;
    weights.set(
      raw.map((weight) => fixedPoint(total === 0 ? weight : weight / total)),
      i * stride,
    );
  }
  return { first, counts, weights, stride };
}

function fixedPoint(weight: number): number {
  return Math.trunc(weight * 2 ** fractionBits + (weight < 0 ? -0.5 : 0.5));
}

function clip(value: number): number {
  return Math.max(0, Math.min(255, value));
}

/** Keys' cubic convolution kernel with parameter `a`. */
function cubic(x: number, a: number): number {
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI);
}
