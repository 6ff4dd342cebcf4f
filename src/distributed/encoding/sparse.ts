/** @file Few values of many, 48 bits for each: what the sizes imply that Deep Gradient Compression (arXiv:1712.01887) publishes. */
import { checkedValue, refused, viewOf } from "./refused.ts";

/** So many positions are passed over, and no value follows. */
const ESCAPE = 0xffff;
const RUN_BYTES = 2;
const VALUE_BYTES = 4;

/**
 * The values at `indices`, which ascend. Each is 16 bits of how many positions lie between it and the one before, then the float32, both little
 * endian. A gap of 65,535 or more begins with 65,535 as often as it takes, 16 bits each.
 */
export function encodeSparse(values: Float32Array, indices: Uint32Array): Uint8Array<ArrayBuffer> {
  let escapes = 0;
  let next = 0;
  for (const index of indices) {
    escapes += Math.floor((index - next) / ESCAPE);
    next = index + 1;
  }
  const bytes = new Uint8Array(indices.length * (RUN_BYTES + VALUE_BYTES) + escapes * RUN_BYTES);
  const view = viewOf(bytes);
  let at = 0;
  next = 0;
  for (const index of indices) {
    let gap = index - next;
    for (; gap >= ESCAPE; gap -= ESCAPE, at += RUN_BYTES) view.setUint16(at, ESCAPE, true);
    view.setUint16(at, gap, true);
    view.setFloat32(at + RUN_BYTES, values[index] ?? 0, true);
    at += RUN_BYTES + VALUE_BYTES;
    next = index + 1;
  }
  return bytes;
}

/**
 * Dense values, zero where nothing was sent.
 *
 * @throws FormatError for bytes that end early, a position outside, and values that are not finite
 */
export function decodeSparse(bytes: Uint8Array, length: number): Float32Array {
  const view = viewOf(bytes);
  const values = new Float32Array(length);
  let at = 0;
  let next = 0;
  let isOpen = false;
  while (at + RUN_BYTES <= bytes.length) {
    const run = view.getUint16(at, true);
    at += RUN_BYTES;
    next += run;
    if (next >= length) throw refused("has a position outside of its tensor", `less than ${length}`, next);
    isOpen = run === ESCAPE;
    if (isOpen) continue;
    if (at + VALUE_BYTES > bytes.length) throw refused("ends early", `${at + VALUE_BYTES} bytes`, bytes.length);
    values[next] = checkedValue(view.getFloat32(at, true));
    at += VALUE_BYTES;
    next++;
  }
  if (isOpen || at !== bytes.length) throw refused("ends early", "a value at its end", `${bytes.length} bytes`);
  return values;
}
