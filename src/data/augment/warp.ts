/** @file Pictures under affine maps. */
import { type Picture, withValues } from "./picture.ts";

/** [a, b, c, d, e, f]: the value at (x, y) comes from (a·x + b·y + c, d·x + e·y + f), both measured from the middle. */
export type AffineMap = readonly [number, number, number, number, number, number];

/** The picture seen through the map, with bilinear interpolation; outside of it lies `fill`. */
export function warp(picture: Picture, [a, b, c, d, e, f]: AffineMap, fill: number): Picture {
  const { channels, height, width, values } = picture;
  const result = new Float32Array(values.length);
  const [middleX, middleY] = [(width - 1) / 2, (height - 1) / 2];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [fromMiddleX, fromMiddleY] = [x - middleX, y - middleY];
      const sourceX = a * fromMiddleX + b * fromMiddleY + c + middleX;
      const sourceY = d * fromMiddleX + e * fromMiddleY + f + middleY;
      for (let channel = 0; channel < channels; channel++) {
        result[(channel * height + y) * width + x] = valueAt(picture, channel, sourceX, sourceY, fill);
      }
    }
  }
  return withValues(picture, result);
}

function valueAt(picture: Picture, channel: number, x: number, y: number, fill: number): number {
  const { width, height, values } = picture;
  const [left, top] = [Math.floor(x), Math.floor(y)];
  const [right, low] = [x - left, y - top];
  const at = (column: number, row: number): number => {
    const isInside = column >= 0 && column < width && row >= 0 && row < height;
    return isInside ? values[(channel * height + row) * width + column]! : fill;
  };
  const upper = right === 0 ? at(left, top) : (1 - right) * at(left, top) + right * at(left + 1, top);
  if (low === 0) return upper;
  const lower = right === 0 ? at(left, top + 1) : (1 - right) * at(left, top + 1) + right * at(left + 1, top + 1);
  return (1 - low) * upper + low * lower;
}
