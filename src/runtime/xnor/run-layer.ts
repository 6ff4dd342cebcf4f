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

const upTo = (count: number, block: number): number => Math.ceil(count / block) * block;

function product(kernel: Kernel, layer: SignProduct): RunSigns {
  const { inputs, outputs, scales, biases } = layer;
  const bytes = aligned(inputs / 8);
  const columns = upTo(outputs, COLUMNS);
  const weights = kernel.keep(packedWeights(layer, columns, bytes, (input) => input));
  return (x, dims) => {
    const count = x.length / inputs;
    const rows = upTo(count, ROWS);
    const [from, signs, sums] = kernel.room([4 * x.length, rows * bytes, 4 * rows * columns]);
    kernel.floats(from, x.length).set(x);
    kernel.packRows(from, signs, count, inputs, bytes);
    kernel.multiply(signs, weights, sums, rows, columns, bytes, inputs);
    const found = kernel.floats(sums, rows * columns);
    const data = new Float32Array(count * outputs);
    for (let row = 0; row < count; row++) {
      for (let o = 0; o < outputs; o++) data[row * outputs + o] = scales[o]! * found[row * columns + o]! + biases[o]!;
    }
    return { dims: [...dims.slice(0, -1), outputs], data };
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
  const { channels, outputs, kernel: size, strides, pads } = layer;
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
      kernel.multiply(weights, patches, sums, rows, columns, bytes, length);
      scaled(kernel.floats(sums, rows * columns), columns, data, sample * outputs * count, count, layer);
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

/** Of each output's row, the `count` sums that are of windows. */
function scaled(
  sums: Float32Array,
  columns: number,
  data: Float32Array,
  start: number,
  count: number,
  { outputs, scales, biases }: SignConvolution,
): void {
  for (let o = 0; o < outputs; o++) {
    const [scale, bias, at, first] = [scales[o]!, biases[o]!, start + o * count, o * columns];
    for (let i = 0; i < count; i++) data[at + i] = scale * sums[first + i]! + bias;
  }
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
