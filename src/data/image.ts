/** @file Eight-bit images, and the resampling and cropping that networks are trained with. */
import { DataError, ensure } from "../errors.ts";
import { roundHalfEven } from "../ir/index.ts";

/** Interleaved 8-bit pixels, row by row from the top; 1 channel is luminance, 3 are R, G, B. */
export interface Image {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  readonly pixels: Uint8Array;
}

/** Pixels stored as planes (channel, row, column) to interleaved. */
export function interleave(planes: Uint8Array, channels: number): Uint8Array {
  const size = planes.byteLength / channels;
  const pixels = new Uint8Array(planes.byteLength);
  for (let c = 0; c < channels; c++) {
    for (let i = 0; i < size; i++) pixels[i * channels + c] = planes[c * size + i]!;
  }
  return pixels;
}

/** ITU-R 601 luminance in 16-bit fixed point, as Pillow's mode "L": (19595 R + 38470 G + 7471 B + 2¹⁵) >> 16. */
export function toGray(image: Image): Image {
  if (image.channels === 1) return image;
  const { width, height, pixels: rgb } = image;
  const pixels = new Uint8Array(width * height);
  for (let i = 0; i < pixels.length; i++) {
    pixels[i] = (19595 * rgb[3 * i]! + 38470 * rgb[3 * i + 1]! + 7471 * rgb[3 * i + 2]! + 0x8000) >> 16;
  }
  return { width, height, channels: 1, pixels };
}

/** Luminance repeated in three channels. */
export function toColor(image: Image): Image {
  if (image.channels === 3) return image;
  const { width, height, pixels: gray } = image;
  const pixels = new Uint8Array(3 * width * height);
  for (let i = 0; i < gray.length; i++) pixels.fill(gray[i]!, 3 * i, 3 * i + 3);
  return { width, height, channels: 3, pixels };
}

/** The middle of an image; odd margins are rounded to even, as torchvision's CenterCrop does. */
export function centerCrop(image: Image, width: number, height: number): Image {
  ensure(
    width <= image.width && height <= image.height,
    () =>
      new DataError("an image is smaller than the crop", {
        expected: `at least ${width}×${height}`,
        got: `${image.width}×${image.height}`,
        hint: "Add a resize before the crop.",
      }),
  );
  if (width === image.width && height === image.height) return image;
  const { channels } = image;
  const left = roundHalfEven((image.width - width) / 2);
  const top = roundHalfEven((image.height - height) / 2);
  const pixels = new Uint8Array(width * height * channels);
  for (let y = 0; y < height; y++) {
    const start = ((top + y) * image.width + left) * channels;
    pixels.set(image.pixels.subarray(start, start + width * channels), y * width * channels);
  }
  return { width, height, channels, pixels };
}
