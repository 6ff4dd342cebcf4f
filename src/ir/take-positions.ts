/** @file Taking positions of axes out of a tensor. */
import { nth } from "../checked.ts";
import { bytesOfTensor, numbersOf, sizeOf, strings, stringsOf, type Tensor, tensorFromNumbers } from "./tensor.ts";
import { dataTypes } from "./types.ts";

/** The tensor with the given positions of each axis, in their order; `undefined` takes all of an axis. */
export function takePositions(source: Tensor, positions: readonly (readonly number[] | undefined)[]): Tensor {
  if (positions.every((each) => each === undefined)) return source;
  const dims = source.dims.map((length, axis) => positions[axis]?.length ?? length);
  if (source.dtype === "string") {
    const texts = stringsOf(source);
    return strings(
      dims,
      Array.from(sources(source.dims, positions), (at) => nth(texts, at)),
    );
  }
  const bits = dataTypes[source.dtype].bits;
  if (bits % 8 !== 0) {
    const numbers = numbersOf(source);
    const taken = new Float64Array(sizeOf(dims));
    let to = 0;
    for (const at of sources(source.dims, positions)) taken[to++] = numbers[at]!;
    return tensorFromNumbers(source.dtype, dims, taken);
  }
  return { dtype: source.dtype, dims, data: takenBytes(source, positions, sizeOf(dims), bits / 8) };
}

/** Axes behind the last that is cut go as one run of bytes. */
function takenBytes(
  source: Tensor,
  positions: readonly (readonly number[] | undefined)[],
  size: number,
  width: number,
): Uint8Array {
  const last = positions.findLastIndex((each) => each !== undefined);
  const run = sizeOf(source.dims.slice(last + 1)) * width;
  const bytes = bytesOfTensor(source);
  const data = new Uint8Array(size * width);
  let to = 0;
  for (const at of sources(source.dims.slice(0, last + 1), positions)) {
    data.set(bytes.subarray(at * run, (at + 1) * run), to);
    to += run;
  }
  return data;
}

/** Flat places of the elements that are taken, row by row. */
function* sources(
  dims: readonly number[],
  positions: readonly (readonly number[] | undefined)[],
  axis = 0,
  start = 0,
): Generator<number> {
  if (axis === dims.length) return void (yield start);
  const taken = positions[axis] ?? Array.from({ length: nth(dims, axis) }, (_, i) => i);
  for (const place of taken) yield* sources(dims, positions, axis + 1, start * nth(dims, axis) + place);
}
