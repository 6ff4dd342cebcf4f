/** @file Affine quantization `q = clamp(round(x / scale) + zeroPoint)`: which numbers are stored, and how they are found. */
import { nth } from "../checked.ts";
import { ShapeError } from "../errors.ts";
import { numbersOf, roundHalfEven, sizeOf, type Tensor, tensorFromNumbers } from "../ir/index.ts";

export type QuantizedType = "uint8" | "int8" | "uint16" | "int16" | "uint4" | "int4" | "uint2" | "int2";

/** What shares one scale: the whole tensor, each slice along an axis, or runs of `size` elements along an axis. */
export type Granularity =
  | { readonly kind: "tensor" }
  | { readonly kind: "channel"; readonly axis: number }
  | { readonly kind: "block"; readonly axis: number; readonly size: number };

export interface Scheme {
  readonly dtype: QuantizedType;
  /** Zero maps to the middle of the range, and the range is `[-a, a]`. */
  readonly symmetric: boolean;
  readonly granularity: Granularity;
  /** One bit less than the type has, so that pairs of 8-bit products do not saturate 16 bits. */
  readonly reducedRange?: boolean;
  /** Fewer than the type has: the integers in the middle of it, or its lowest where it is unsigned. */
  readonly bits?: number | undefined;
}

/** A closed interval of reals; an empty one has `min > max`. */
export interface Range {
  readonly min: number;
  readonly max: number;
}

export interface Parameters {
  /** Positive and representable in float32. */
  readonly scale: number;
  readonly zeroPoint: number;
}

/** Smallest and largest integer. */
export interface Limits {
  readonly low: number;
  readonly high: number;
}

const bits = {
  uint8: 8,
  int8: 8,
  uint16: 16,
  int16: 16,
  uint4: 4,
  int4: 4,
  uint2: 2,
  int2: 2,
} as const satisfies Record<QuantizedType, number>;

/** Width of an element in bits. */
export function bitsOf(dtype: QuantizedType): number {
  return bits[dtype];
}

/** All that the type can store; what rounding clips to. */
export function typeLimits(dtype: QuantizedType): Limits {
  const levels = 2 ** bits[dtype];
  return dtype.startsWith("u") ? { low: 0, high: levels - 1 } : { low: -levels / 2, high: levels / 2 - 1 };
}

/** The integers that a range is spread over: symmetric signed types leave out the lowest, reduced ones halve. */
export function limitsOf({ dtype, symmetric, reducedRange = false, bits: width }: Omit<Scheme, "granularity">): Limits {
  const { low, high } = typeLimits(dtype);
  if (width !== undefined && width < bits[dtype]) {
    const levels = 2 ** width;
    return low === 0 ? { low, high: levels - 1 } : { low: -levels / 2, high: levels / 2 - 1 };
  }
  if (low === 0) return { low, high: reducedRange ? (high - 1) / 2 : high };
  if (reducedRange)
    return bits[dtype] === 4 ? { low: low / 2, high: (high - 1) / 2 } : { low: low / 2, high: -low / 2 };
  return { low: symmetric ? -high : low, high };
}

const SMALLEST_SCALE = 2 ** -126;

/**
 * What the width of a symmetric range is divided by for its scale: the steps between its integers. Where their number is odd, the least value
 * lies in the middle between two integers, and float32 and float64 would round it apart; a few millionths more steps decide for the outer one.
 */
export function symmetricSteps({ low, high }: Limits): number {
  const steps = high - low;
  return low < 0 && steps % 2 === 1 ? steps * (1 + 2 ** -18) : steps;
}

/**
 * Scale and zero point for a range, as ONNX Runtime's tools compute them: the range is widened to include zero, and zero
 * is exact. `smallestWidth` widens a range that is narrower. A range of width zero gives scale 1 and zero point 0.
 */
export function parametersOf(range: Range, limits: Limits, symmetric: boolean, smallestWidth = 0): Parameters {
  let min = Math.min(range.min, 0);
  let max = Math.max(range.max, min + smallestWidth, 0);
  if (symmetric) {
    max = Math.max(-min, max);
    min = -max;
  }
  const exact = (max - min) / (symmetric ? symmetricSteps(limits) : limits.high - limits.low);
  const scale = Math.fround(exact);
  if (!(exact >= SMALLEST_SCALE)) return { scale: 1, zeroPoint: 0 };
  const zeroPoint = symmetric ? roundHalfEven((limits.high + limits.low) / 2) : roundHalfEven(limits.low - min / exact);
  return { scale, zeroPoint };
}

/** The reals that the integers within `limits` stand for. */
export function representable({ scale, zeroPoint }: Parameters, { low, high }: Limits): Range {
  return { min: (low - zeroPoint) * scale, max: (high - zeroPoint) * scale };
}

/** Added and subtracted it rounds what lies within 2^51 to a whole number, ties to even; what lies beyond is clipped anyway. */
const ROUNDER = 1.5 * 2 ** 52;

/** The nearest stored integer, ties to even, clipped to `limits`. */
export function quantizeValue(value: number, { scale, zeroPoint }: Parameters, { low, high }: Limits): number {
  const integer = value / scale + ROUNDER - ROUNDER + zeroPoint;
  return integer > high ? high : integer < low ? low : integer;
}

/** Nearest signed integer of `width` bits, ties to even. */
export function roundedTo(value: number, width: number): number {
  const edge = 2 ** (width - 1);
  return Math.min(edge - 1, Math.max(-edge, roundHalfEven(value)));
}

export function dequantizeValue(value: number, { scale, zeroPoint }: Parameters): number {
  return (value - zeroPoint) * scale;
}

/** How the elements of a tensor fall into groups that share a scale. */
export interface Grouping {
  /** Dims of the tensors of scales and zero points. */
  readonly dims: readonly number[];
  readonly count: number;
  /** The group of the element at a flat position. */
  groupOf(position: number): number;
  /** Calls `visit` for every element with its flat position and its group, in order. */
  each(visit: (position: number, group: number) => void): void;
}

export function grouping(dims: readonly number[], granularity: Granularity): Grouping {
  const total = sizeOf(dims);
  if (granularity.kind === "tensor") {
    const each: Grouping["each"] = (visit) => {
      for (let i = 0; i < total; i++) visit(i, 0);
    };
    return { dims: [], count: 1, groupOf: () => 0, each };
  }
  const axis = granularity.axis < 0 ? granularity.axis + dims.length : granularity.axis;
  const length = dims[axis];
  if (length === undefined) {
    throw new ShapeError("a quantization axis lies outside of the tensor", {
      expected: `an axis below ${dims.length}`,
      got: `${granularity.axis}`,
    });
  }
  const inner = sizeOf(dims.slice(axis + 1));
  const isBlock = granularity.kind === "block";
  const size = isBlock ? granularity.size : 1;
  const blocks = Math.ceil(length / size);
  /** The group of the first of the `inner` elements at a place along the axis; of blocks, the others have the groups after it. */
  const firstGroup = (outer: number, along: number): number =>
    isBlock ? (outer * blocks + Math.floor(along / size)) * inner : along;
  const step = isBlock ? 1 : 0;
  const groupDims = isBlock ? dims.map((dim, i) => (i === axis ? blocks : dim)) : [length];
  return {
    dims: groupDims,
    count: sizeOf(groupDims),
    groupOf(position) {
      const along = Math.floor(position / inner) % length;
      return firstGroup(Math.floor(position / (inner * length)), along) + step * (position % inner);
    },
    each(visit) {
      for (let position = 0; position < total; ) {
        const group = firstGroup(Math.floor(position / (inner * length)), Math.floor(position / inner) % length);
        for (let i = 0; i < inner; i++) visit(position++, group + step * i);
      }
    },
  };
}

/** A quantized constant: integers (unpacked), and one scale and zero point for every group. */
export interface QuantizedTensor {
  readonly dims: readonly number[];
  readonly scheme: Scheme;
  readonly values: Int32Array;
  readonly parameters: readonly Parameters[];
}

/** The parameters of every group of `values`, from the least and greatest element. */
export function groupParameters(values: ArrayLike<number>, dims: readonly number[], scheme: Scheme): Parameters[] {
  const { count, each } = grouping(dims, scheme.granularity);
  const low = new Float64Array(count);
  const high = new Float64Array(count);
  each((i, group) => {
    const value = values[i]!;
    if (value < low[group]!) low[group] = value;
    if (value > high[group]!) high[group] = value;
  });
  const limits = limitsOf(scheme);
  return Array.from({ length: count }, (_, i) =>
    parametersOf({ min: low[i]!, max: high[i]! }, limits, scheme.symmetric),
  );
}

/** The integers as a tensor of the scheme's type, with its scales and zero points. */
export function quantizedParts(q: QuantizedTensor): { data: Tensor; scale: Tensor; zeroPoint: Tensor } {
  const { dims } = grouping(q.dims, q.scheme.granularity);
  const column = (of: (parameters: Parameters) => number): number[] => q.parameters.map(of);
  return {
    data: tensorFromNumbers(q.scheme.dtype, q.dims, q.values),
    scale: tensorFromNumbers(
      "float32",
      dims,
      column(({ scale }) => scale),
    ),
    zeroPoint: tensorFromNumbers(
      q.scheme.dtype,
      dims,
      column(({ zeroPoint }) => zeroPoint),
    ),
  };
}

/** The reals that a quantized tensor stands for. */
export function dequantize(q: QuantizedTensor): Float32Array {
  const reals = new Float32Array(q.values.length);
  grouping(q.dims, q.scheme.granularity).each((i, group) => {
    reals[i] = dequantizeValue(q.values[i]!, nth(q.parameters, group));
  });
  return reals;
}

/** The elements of a float tensor as float64. */
export function realsOf(tensor: Tensor): Float64Array {
  return numbersOf(tensor);
}
