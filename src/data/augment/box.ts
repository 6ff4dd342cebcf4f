/** @file Rectangles in a picture. */
import type { Random } from "../random.ts";
import { type Picture, withValues } from "./picture.ts";

/** Columns [left, right) and rows [top, bottom), inside the picture. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** A box of this size around a uniformly drawn pixel, cut off at the edges. */
export function boxAroundRandomPixel(picture: Picture, source: Random, width: number, height: number): Box {
  const left = source.below(picture.width) - Math.floor(width / 2);
  const top = source.below(picture.height) - Math.floor(height / 2);
  return {
    left: Math.max(0, left),
    top: Math.max(0, top),
    right: Math.min(picture.width, left + width),
    bottom: Math.min(picture.height, top + height),
  };
}

/** The share of the picture that a box covers. */
export function areaShare({ width, height }: Picture, { left, top, right, bottom }: Box): number {
  return ((right - left) * (bottom - top)) / (width * height);
}

/** The picture with the values in a box replaced; `value` is given the index and the channel of each. */
export function withBox(picture: Picture, box: Box, value: (index: number, channel: number) => number): Picture {
  const { channels, height, width } = picture;
  const values = picture.values.slice();
  for (let channel = 0; channel < channels; channel++) {
    for (let y = box.top; y < box.bottom; y++) {
      const row = (channel * height + y) * width;
      for (let x = box.left; x < box.right; x++) values[row + x] = value(row + x, channel);
    }
  }
  return withValues(picture, values);
}
