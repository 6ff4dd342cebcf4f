/** @file Layers of signs, with their weights packed in the memory of a kernel. */
import { aligned, type Kernel } from "./kernel.ts";
import type { SignConvolution, SignLayer, SignProduct } from "./layer.ts";

export interface SignResult {
  readonly dims: readonly number[];
  readonly data: Float32Array;
}

export type RunSigns = (x: Float32Array, dims: readonly number[]) => SignResult;

/** Packs the weights of a layer into a kernel, and gives what runs it there. */
export function signLayer(kernel: Kernel, layer: SignLayer): RunSigns {
  return layer.kind === "product" ? product(kernel, layer) : convolution(kernel, layer);
}

/** The kernel computes two rows of its first operand by four of its second. */
const ROWS = 2;
const COLUMNS = 4;

/** Bytes of the first operand that the cache keeps while the second one passes. */
const CACHED = 2 ** 14;

/** The whole product, in runs of rows that the cache keeps. */
function multiply(
  kernel: Kernel,
  [a, b, c]: readonly [number, number, number],
  [rows, columns, bytes, length]: readonly [number, number, number, number],
): void {
  const most = Math.max(ROWS, ROWS * Math.floor(CACHED / bytes / ROWS));
  for (let row = 0; row < rows; row += most) {
    const own = Math.min(most, rows - row);
    kernel.multiply(a + row * bytes, b, c + 4 * row * columns, own, columns, bytes, length);
  }
}

const upTo = (count: number, block: number): number => Math.ceil(count / block) * block;

function product(kernel: Kernel, layer: SignProduct): RunSigns {
  const { inputs, outputs, scales, biases } = layer;
  const bytes = aligned(inputs / 8);
  const columns = upTo(outputs, COLUMNS);
  const weights = kernel.keep(packedWeights(layer, columns, bytes, (input) => input));
  const scale = kernel.keep(paddedFloats(scales, columns));
  const shift = kernel.keep(paddedFloats(biases, columns));
  return (x, dims) => {
    const count = x.length / inputs;
    const rows = upTo(count, ROWS);
    const [from, signs, sums] = kernel.room([4 * x.length, rows * bytes, 4 * rows * columns]);
    kernel.floats(from, x.length).set(x);
    kernel.packRows(from, signs, count, inputs, bytes);
    multiply(kernel, [signs, weights, sums], [rows, columns, bytes, inputs]);
    kernel.scaleColumns(sums, scale, shift, count, columns);
    return { dims: [...dims.slice(0, -1), outputs], data: firstColumns(kernel, sums, count, columns, outputs) };
  };
}

/** Where the words of a padded picture lie, and where its windows. */
interface Plan {
  readonly height: number;
  readonly width: number;
  readonly pitch: number;
  readonly windows: readonly [down: number, across: number];
}

/** Pictures are packed pixel by pixel, a bit for each channel, so that a window is made of whole words; weights are the first operand, so that the result has its channels first. */
function convolution(kernel: Kernel, layer: SignConvolution): RunSigns {
  const { channels, outputs, kernel: size, strides, pads, scales, biases } = layer;
  const words = Math.ceil(channels / 32);
  const bytes = aligned(4 * words * size[0] * size[1]);
  const rows = upTo(outputs, ROWS);
  const weights = kernel.keep(packedWeights(layer, rows, bytes, placeInWindow(layer, words)));
  const length = channels * size[0] * size[1];
  return (x, dims) => {
    const [batch = 0, , height = 0, width = 0] = dims;
    const down = Math.floor((height + pads[0] + pads[2] - size[0]) / strides[0]) + 1;
    const across = Math.floor((width + pads[1] + pads[3] - size[1]) / strides[1]) + 1;
    const pitch = 4 * words * (width + pads[1] + pads[3]);
    const plan: Plan = { height, width, pitch, windows: [down, across] };
    const count = down * across;
    const columns = upTo(count, COLUMNS);
    const own = channels * height * width;
    const picture = (height + pads[0] + pads[2]) * pitch;
    const places = kernel.room([4 * own, picture, columns * bytes, 4 * rows * columns]);
    const [from, signs, patches, sums] = places;
    const data = new Float32Array(batch * outputs * count);
    kernel.bytes(signs, picture).fill(0);
    for (let sample = 0; sample < batch; sample++) {
      kernel.floats(from, own).set(x.subarray(sample * own, (sample + 1) * own));
      packWindows(kernel, layer, plan, { from, signs, patches, words, bytes });
      multiply(kernel, [weights, patches, sums], [rows, columns, bytes, length]);
      for (let o = 0; o < outputs; o++) kernel.scaleRow(sums + 4 * o * columns, scales[o]!, biases[o]!, columns);
      data.set(firstColumns(kernel, sums, outputs, columns, count), sample * outputs * count);
    }
    return { dims: [batch, outputs, down, across], data };
  };
}

/** The padding is left as it is: zeros, which stand for +1. */
function packWindows(
  kernel: Kernel,
  { channels, kernel: size, strides, pads }: SignConvolution,
  { height, width, pitch, windows }: Plan,
  { from, signs, patches, words, bytes }: Readonly<Record<"from" | "signs" | "patches" | "words" | "bytes", number>>,
): void {
  const plane = 4 * height * width;
  for (let row = 0; row < height; row++) {
    const to = signs + (row + pads[0]) * pitch + 4 * words * pads[1];
    kernel.packPixels(from + 4 * row * width, to, channels, plane, width, words);
  }
  const [step, jump, run] = [4 * words * strides[1], pitch * strides[0], 4 * words * size[1]];
  kernel.gather(signs, patches, windows[0], windows[1], step, jump, size[0], run, pitch, bytes);
}

/** A copy of the first `own` of the columns of every row. */
function firstColumns(kernel: Kernel, at: number, rows: number, columns: number, own: number): Float32Array {
  const found = kernel.floats(at, rows * columns);
  if (own === columns) return found.slice();
  const copy = new Float32Array(rows * own);
  for (let row = 0; row < rows; row++) copy.set(found.subarray(row * columns, row * columns + own), row * own);
  return copy;
}

function paddedFloats(numbers: readonly number[], length: number): Uint8Array {
  return new Uint8Array(new Float32Array(length).map((_, i) => numbers[i] ?? 0).buffer);
}

/** The bit of a weight, given in the order [channel, row, column], in a window of pixels of `words` words. */
function placeInWindow({ kernel: [height, width] }: SignConvolution, words: number): (input: number) => number {
  return (input) => {
    const channel = Math.floor(input / (height * width));
    return 32 * words * (input % (height * width)) + channel;
  };
}

/** Bits of 1 for negative weights, a row of `bytes` bytes for each output; `rows` rows. */
function packedWeights(
  { negative, outputs }: SignLayer,
  rows: number,
  bytes: number,
  place: (input: number) => number,
): Uint8Array {
  const packed = new Uint8Array(rows * bytes);
  const inputs = negative.length / outputs;
  for (let output = 0; output < outputs; output++) {
    for (let input = 0; input < inputs; input++) {
      const bit = place(input);
      packed[output * bytes + (bit >> 3)]! |= negative[output * inputs + input]! << (bit & 7);
    }
  }
  return packed;
}
