/**
 * @file The operations of RandAugment on pictures with values from 0 to 1. Ranges as in Cubuk et al. (2019), arXiv:1909.13719, and
 * AutoAugment, arXiv:1805.09501; 8-bit operations work on the 256 levels that the values are read from.
 */
import { type Picture, withValues } from "./picture.ts";
import { warp } from "./warp.ts";

/** What an operation does at a strength from 0 to 1, in one of two directions where it has any; 0 outside the picture. */
export type PictureOperation = (picture: Picture, strength: number, direction: 1 | -1) => Picture;

const LARGEST_SHEAR = 0.3;
const LARGEST_ANGLE = Math.PI / 6;
/** Of the width or height. */
const LARGEST_SHIFT = 150 / 331;
const LARGEST_BLEND = 0.9;
const LEAST_BITS = 4;

export const pictureOperations: Readonly<Record<string, PictureOperation>> = {
  identity: (picture) => picture,
  shearX: (picture, strength, sign) => warp(picture, [1, sign * strength * LARGEST_SHEAR, 0, 0, 1, 0], 0),
  shearY: (picture, strength, sign) => warp(picture, [1, 0, 0, sign * strength * LARGEST_SHEAR, 1, 0], 0),
  translateX: (picture, strength, sign) =>
    warp(picture, [1, 0, Math.round(sign * strength * LARGEST_SHIFT * picture.width), 0, 1, 0], 0),
  translateY: (picture, strength, sign) =>
    warp(picture, [1, 0, 0, 0, 1, Math.round(sign * strength * LARGEST_SHIFT * picture.height)], 0),
  rotate: (picture, strength, sign) => rotated(picture, sign * strength * LARGEST_ANGLE),
  brightness: (picture, strength, sign) => blended(picture, blendOf(strength, sign), () => 0),
  color: (picture, strength, sign) => blended(picture, blendOf(strength, sign), grayOf(picture)),
  contrast(picture, strength, sign) {
    const gray = grayOf(picture);
    const size = picture.width * picture.height;
    const mean = Array.from({ length: size }, (_, i) => gray(i)).reduce((sum, x) => sum + x, 0) / size;
    return blended(picture, blendOf(strength, sign), () => mean);
  },
  sharpness: (picture, strength, sign) => blended(picture, blendOf(strength, sign), smoothedOf(picture)),
  posterize: (picture, strength) => posterized(picture, 8 - Math.round(strength * LEAST_BITS)),
  solarize: (picture, strength) =>
    withValues(
      picture,
      picture.values.map((value) => (value > 1 - strength ? 1 - value : value)),
    ),
  autoContrast: (picture) => perChannel(picture, stretched),
  equalize: (picture) => perChannel(picture, equalized),
};

function rotated(picture: Picture, angle: number): Picture {
  const [cosine, sine] = [Math.cos(angle), Math.sin(angle)];
  return warp(picture, [cosine, sine, 0, -sine, cosine, 0], 0);
}

function blendOf(strength: number, sign: number): number {
  return 1 + sign * strength * LARGEST_BLEND;
}

/** factor·x + (1 − factor)·base, kept in [0, 1]. */
function blended(picture: Picture, factor: number, base: (index: number) => number): Picture {
  if (factor === 1) return picture;
  const mixed = picture.values.map((value, i) => Math.min(1, Math.max(0, factor * value + (1 - factor) * base(i))));
  return withValues(picture, mixed);
}

/** ITU-R 601 luminance of the pixel that an index belongs to. */
function grayOf({ channels, values, width, height }: Picture): (index: number) => number {
  const size = width * height;
  if (channels !== 3) return (i) => values[i]!;
  return (i) => 0.299 * values[i % size]! + 0.587 * values[size + (i % size)]! + 0.114 * values[2 * size + (i % size)]!;
}

/** Pillow's smoothing: the neighbours at weight 1, the pixel at 5, all over 13; the outermost pixels stay. */
function smoothedOf({ values, width, height }: Picture): (index: number) => number {
  return (i) => {
    const x = i % width;
    const y = Math.floor(i / width) % height;
    if (x === 0 || y === 0 || x === width - 1 || y === height - 1) return values[i]!;
    let sum = 4 * values[i]!;
    for (const row of [i - width, i, i + width]) sum += values[row - 1]! + values[row]! + values[row + 1]!;
    return sum / 13;
  };
}

function levelOf(value: number): number {
  return Math.min(255, Math.max(0, Math.round(value * 255)));
}

/** Only the highest bits of each level. */
function posterized(picture: Picture, bits: number): Picture {
  if (bits >= 8) return picture;
  const step = 2 ** (8 - bits);
  return withValues(
    picture,
    picture.values.map((value) => (Math.floor(levelOf(value) / step) * step) / 255),
  );
}

function perChannel(picture: Picture, change: (plane: Float32Array) => Float32Array): Picture {
  const size = picture.width * picture.height;
  const result = new Float32Array(picture.values.length);
  for (let start = 0; start < result.length; start += size) {
    result.set(change(picture.values.subarray(start, start + size)), start);
  }
  return withValues(picture, result);
}

/** The values from least to largest spread over [0, 1]. */
function stretched(plane: Float32Array): Float32Array {
  const [low, high] = [plane.reduce((a, b) => Math.min(a, b)), plane.reduce((a, b) => Math.max(a, b))];
  return high > low ? plane.map((value) => (value - low) / (high - low)) : plane;
}

/** Levels spread so that each is used about equally often, as Pillow does it. */
function equalized(plane: Float32Array): Float32Array {
  const counts = new Uint32Array(256);
  for (const value of plane) counts[levelOf(value)]!++;
  const last = counts[counts.findLastIndex((count) => count > 0)]!;
  const step = Math.floor((plane.length - last) / 255);
  if (step === 0) return plane;
  const table = new Float32Array(256);
  let sum = Math.floor(step / 2);
  for (const [level, count] of counts.entries()) {
    table[level] = Math.min(255, Math.floor(sum / step)) / 255;
    sum += count;
  }
  return plane.map((value) => table[levelOf(value)]!);
}
