/** @file Messages that begin with one scale. */
import { checkedScale, viewOf } from "../encoding/refused.ts";

export const SCALE_BYTES = 4;

/** The largest float32. */
export const LARGEST = (2 - 2 ** -23) * 2 ** 127;

/** A message of a float32 scale and so many bytes after it. */
export function withScale(scale: number, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(SCALE_BYTES + length);
  viewOf(bytes).setFloat32(0, scale, true);
  return bytes;
}

/** @throws FormatError for a scale that is negative or not finite */
export function scaleOf(bytes: Uint8Array): number {
  return checkedScale(viewOf(bytes).getFloat32(0, true));
}

/** max |x|; 0 of nothing. */
export function greatest(values: Float32Array): number {
  return values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}
