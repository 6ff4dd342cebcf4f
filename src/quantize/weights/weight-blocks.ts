/** @file Weights in blocks along their inputs, as MatMulNBits and blockwise DequantizeLinear store them. */
import { UsageError } from "../../errors.ts";
import { type Tensor, tensor } from "../../ir/index.ts";
import type { Parameters } from "../scheme.ts";

/** Kernels know 8, 4 and 2; 3 bits are eight levels in the room of 4. */
export type WeightBits = 8 | 4 | 3 | 2;

export interface BlockLayout {
  readonly bits: WeightBits;
  /** Inputs in a block: a power of two from 16 to 256. */
  readonly size: number;
  readonly symmetric: boolean;
}

/** @throws UsageError for another number of bits or block size. */
export function checkLayout({ bits, size }: BlockLayout): void {
  if (![8, 4, 3, 2].includes(bits)) {
    throw new UsageError("weights have 8, 4, 3 or 2 bits", { expected: "8, 4, 3 or 2", got: `${bits}` });
  }
  if (![16, 32, 64, 128, 256].includes(size)) {
    throw new UsageError("a block has another size", { expected: "16, 32, 64, 128 or 256", got: `${size}` });
  }
}

/** Bits that a weight takes in the file. */
export function storedBits(bits: WeightBits): 8 | 4 | 2 {
  return bits === 3 ? 4 : bits;
}

/** `2^bits` unsigned integers in the middle of those that the stored type has, so that its middle stands for zero whatever the bits. */
export function blockLimits({ bits }: Pick<BlockLayout, "bits">): { low: number; high: number } {
  const low = (2 ** storedBits(bits) - 2 ** bits) / 2;
  return { low, high: low + 2 ** bits - 1 };
}

/**
 * Scale and zero point of one block. Asymmetric: the range with zero in it over all integers. Symmetric: the value of greatest
 * magnitude becomes the lowest, zero is the middle, so the scale has the other sign than that value. Values −a, 0 and a alone are kept as they are.
 */
export function blockParameters(
  values: ArrayLike<number>,
  { bits, symmetric }: BlockLayout,
  start = 0,
  end = values.length,
): Parameters {
  let min = 0;
  let max = 0;
  for (let i = start; i < end; i++) {
    min = Math.min(min, values[i]!);
    max = Math.max(max, values[i]!);
  }
  const { low, high } = blockLimits({ bits });
  const half = 2 ** (bits - 1);
  const middle = low + half;
  if (isTernary(values, max, start, end)) return { scale: max, zeroPoint: middle };
  if (symmetric) {
    const greatest = -min > max ? min : max;
    return greatest === 0
      ? { scale: 1, zeroPoint: middle }
      : { scale: Math.fround(-greatest / half), zeroPoint: middle };
  }
  const scale = Math.fround((max - min) / (high - low));
  if (scale === 0) return { scale: 1, zeroPoint: low };
  return { scale, zeroPoint: Math.min(high, low + Math.max(0, Math.round(-min / scale))) };
}

/** Whether the values are −a, 0 and a, and none else: with the middle as zero they are whole steps of a. */
function isTernary(values: ArrayLike<number>, a: number, start: number, end: number): boolean {
  let hasBelow = false;
  for (let i = start; i < end; i++) {
    const value = values[i]!;
    if (value !== 0 && value !== a && value !== -a) return false;
    hasBelow ||= value < 0;
  }
  return hasBelow && a > 0;
}

/** A matrix of integers with a row for each output, and the parameters of its blocks, row by row. */
export interface BlockedMatrix {
  readonly rows: number;
  readonly columns: number;
  readonly layout: BlockLayout;
  /** `rows × columns`. */
  readonly integers: Uint8Array;
  /** `rows × blocks`. */
  readonly scales: Float32Array;
  /** `rows × blocks`. */
  readonly zeroPoints: Uint8Array;
}

/** A matrix to be filled. */
export function emptyBlocks(rows: number, columns: number, layout: BlockLayout): BlockedMatrix {
  const count = rows * blocksIn({ columns, layout });
  const integers = new Uint8Array(rows * columns);
  return { rows, columns, layout, integers, scales: new Float32Array(count), zeroPoints: new Uint8Array(count) };
}

export function blocksIn({ columns, layout }: Pick<BlockedMatrix, "columns" | "layout">): number {
  return Math.ceil(columns / layout.size);
}

/**
 * The inputs B, scales and zero points of MatMulNBits: B is uint8 `[rows, blocks, size · bits / 8]`, the first of a byte's integers in its
 * lowest bits, a last block filled up with the zero point; zero points are packed alike, each row on its own bytes.
 */
export function packForMatMulNBits(matrix: BlockedMatrix): { b: Tensor; scales: Tensor; zeroPoints: Tensor } {
  const { rows, columns, layout, integers, scales, zeroPoints } = matrix;
  const { size } = layout;
  const bits = storedBits(layout.bits);
  const blocks = blocksIn(matrix);
  const rowBytes = (blocks * size * bits) / 8;
  const zeroBytes = Math.ceil((blocks * bits) / 8);
  const b = new Uint8Array(rows * rowBytes);
  const zeros = new Uint8Array(rows * zeroBytes);
  for (let row = 0; row < rows; row++) {
    const last = zeroPoints[(row + 1) * blocks - 1]!;
    pack(b, 8 * row * rowBytes, bits, integers, row * columns, columns);
    pack(zeros, 8 * row * zeroBytes, bits, zeroPoints, row * blocks, blocks);
    const rest = new Uint8Array(blocks * size - columns).fill(last);
    pack(b, 8 * row * rowBytes + columns * bits, bits, rest, 0, rest.length);
  }
  return {
    b: tensor("uint8", [rows, blocks, (size * bits) / 8], b),
    scales: tensor("float32", [rows * blocks], scales),
    zeroPoints: tensor("uint8", [rows * zeroBytes], zeros),
  };
}

/** Puts `count` integers of `bits` bits behind one another, from a bit on; the bytes were 0. */
function pack(into: Uint8Array, bit: number, bits: 8 | 4 | 2, from: Uint8Array, first: number, count: number): void {
  const perByte = 8 / bits;
  const start = bit / bits;
  for (let i = 0; i < count; i++) {
    const place = start + i;
    const byte = Math.floor(place / perByte);
    into[byte]! |= from[first + i]! << ((place % perByte) * bits);
  }
}
