/** @file Turns images into tensors: resize, crop, channel order, then (pixel · scale − mean) / std. */
import { nth } from "../checked.ts";
import { DataError } from "../errors.ts";
import { type NumericArray, type Tensor, tensor, tensorFromNumbers, typedArray } from "../ir/index.ts";
import { centerCrop, type Image, toColor, toGray } from "./image.ts";
import type { PreprocessSpec } from "./preprocess-spec.ts";
import { resample, sizeWithShorterSide } from "./resample.ts";

/** A function that applies one specification to many images; the table of values is computed once. */
export function preprocessor(spec: PreprocessSpec): (image: Image) => Tensor {
  const tables = [valueTables(spec, 1), valueTables(spec, 3)] as const;
  return (image) => {
    const sized = withChannels(withSize(image, spec), spec);
    return layOut(sized, sized.channels === 1 ? tables[0] : tables[1], spec);
  };
}

/** The tensor [C, H, W] or [H, W, C] of one image. */
export function preprocess(image: Image, spec: PreprocessSpec): Tensor {
  return preprocessor(spec)(image);
}

function withSize(image: Image, { resize, crop, filter = "bilinear" }: PreprocessSpec): Image {
  const size = resize === undefined ? image : "shorter" in resize ? sizeWithShorterSide(image, resize.shorter) : resize;
  const resized = resample(image, size.width, size.height, filter);
  return crop ? centerCrop(resized, crop.width, crop.height) : resized;
}

function withChannels(image: Image, { channels }: PreprocessSpec): Image {
  if (channels === undefined) return image;
  return channels === "gray" ? toGray(image) : toColor(image);
}

/**
 * The result for each of the 256 pixel values, per channel, in the output's dtype. Each step is rounded to float32,
 * as the frameworks do that trained the networks.
 */
function valueTables(spec: PreprocessSpec, channels: 1 | 3): readonly NumericArray[] {
  const { scale = 1, mean = [0], std = [1], dtype = "float32" } = spec;
  return Array.from({ length: channels }, (_, c) => {
    const offset = Math.fround(perChannel(mean, c));
    const divisor = Math.fround(perChannel(std, c));
    const values = new Float64Array(256).map((_, pixel) =>
      Math.fround(Math.fround(Math.fround(pixel * scale) - offset) / divisor),
    );
    return typedArray(tensorFromNumbers(dtype, [256], values));
  });
}

function perChannel(values: readonly number[], channel: number): number {
  return values[values.length === 1 ? 0 : channel] ?? Number.NaN;
}

function layOut(image: Image, tables: readonly NumericArray[], spec: PreprocessSpec): Tensor {
  const { width, height, channels, pixels } = image;
  const { layout = "nchw", channels: order, dtype = "float32" } = spec;
  checkChannelCount(spec, channels);
  const size = width * height;
  const values = new (nth(tables, 0).constructor as new (length: number) => NumericArray)(size * channels);
  const [channelStride, pixelStride] = layout === "nchw" ? [size, 1] : [1, channels];
  for (let c = 0; c < channels; c++) {
    const table = nth(tables, c);
    const from = order === "bgr" ? channels - 1 - c : c;
    const to = c * channelStride;
    for (let i = 0; i < size; i++) values[to + i * pixelStride] = table[pixels[i * channels + from]!]!;
  }
  return tensor(dtype, layout === "nchw" ? [channels, height, width] : [height, width, channels], values);
}

function checkChannelCount({ mean = [0], std = [0] }: PreprocessSpec, channels: number): void {
  for (const [name, values] of Object.entries({ mean, std })) {
    if (values.length === 1 || values.length === channels) continue;
    throw new DataError(`the preprocess specification's ${name} does not fit the image`, {
      expected: `1 or ${channels} numbers`,
      got: `${values.length}`,
      hint: 'Set "channels" to "rgb", "bgr" or "gray".',
    });
  }
}
