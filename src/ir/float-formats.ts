/** @file The small float formats of ONNX as bit patterns: float16, bfloat16, float8 in four kinds, float4, e8m0. */
import type { DataType } from "./types.ts";

export interface FloatFormat {
  /** The value of a bit pattern. */
  decode(bits: number): number;
  /** The nearest pattern, ties to even; what overflows becomes infinity, NaN or the largest value, as ONNX's Cast does. */
  encode(value: number): number;
}

interface Layout {
  readonly exponentBits: number;
  readonly mantissaBits: number;
  readonly bias: number;
  /** `ieee`: top exponent is inf/NaN. `fn`: only the all-ones pattern is NaN. `fnuz`: 0x80 is NaN, no -0. `finite`: no specials. */
  readonly specials: "ieee" | "fn" | "fnuz" | "finite";
  /** What a value beyond the largest becomes. */
  readonly overflow: "infinity" | "saturate";
}

export const floatFormats: Partial<Record<DataType, FloatFormat>> = {
  float16: format({ exponentBits: 5, mantissaBits: 10, bias: 15, specials: "ieee", overflow: "infinity" }),
  bfloat16: format({ exponentBits: 8, mantissaBits: 7, bias: 127, specials: "ieee", overflow: "infinity" }),
  float8e4m3fn: format({ exponentBits: 4, mantissaBits: 3, bias: 7, specials: "fn", overflow: "saturate" }),
  float8e4m3fnuz: format({ exponentBits: 4, mantissaBits: 3, bias: 8, specials: "fnuz", overflow: "saturate" }),
  float8e5m2: format({ exponentBits: 5, mantissaBits: 2, bias: 15, specials: "ieee", overflow: "saturate" }),
  float8e5m2fnuz: format({ exponentBits: 5, mantissaBits: 2, bias: 16, specials: "fnuz", overflow: "saturate" }),
  float4e2m1: format({ exponentBits: 2, mantissaBits: 1, bias: 1, specials: "finite", overflow: "saturate" }),
  float8e8m0: {
    decode: (bits) => (bits === 255 ? Number.NaN : 2 ** (bits - 127)),
    encode: (value) =>
      value > 0 ? Math.min(254, Math.max(0, Math.floor(Math.log2(value / 1.5)) + 128)) : value === 0 ? 0 : 255,
  },
};

function format(layout: Layout): FloatFormat {
  const { exponentBits, mantissaBits } = layout;
  const count = 2 ** (exponentBits + mantissaBits);
  const sign = count;
  const magnitudes = new Float64Array(count).map((_, bits) => magnitude(layout, bits));
  const infinity = (2 ** exponentBits - 1) * 2 ** mantissaBits;
  const largest = largestFinite(magnitudes);
  const nan =
    layout.specials === "fnuz" ? sign : layout.specials === "ieee" ? infinity + 2 ** (mantissaBits - 1) : count - 1;
  const zeroHasSign = layout.specials !== "fnuz";

  function encodeMagnitude(value: number): number {
    const step = (magnitudes[largest] as number) - (magnitudes[largest - 1] as number);
    const limit = (magnitudes[largest] as number) + step / 2;
    if (value >= limit) return layout.overflow === "infinity" ? infinity : largest;
    const exponent = Math.max(1 - layout.bias, Math.floor(Math.log2(value)));
    const unit = 2 ** (exponent - mantissaBits);
    const nearest = Math.floor(value / unit);
    const rest = value / unit - nearest;
    const rounded = rest > 0.5 || (rest === 0.5 && nearest % 2 === 1) ? nearest + 1 : nearest;
    return Math.min(largest, rounded + (exponent + layout.bias - 1) * 2 ** mantissaBits);
  }

  return {
    decode(bits) {
      const negative = bits >= sign;
      if (negative && bits === sign && !zeroHasSign) return Number.NaN;
      const value = magnitudes[negative ? bits - sign : bits] as number;
      return negative ? -value : value;
    },
    encode(value) {
      if (Number.isNaN(value)) return layout.specials === "finite" ? 0 : nan;
      const negative = value < 0 || Object.is(value, -0);
      const bits = value === 0 ? 0 : encodeMagnitude(Math.abs(value));
      return negative && (bits !== 0 || zeroHasSign) ? bits + sign : bits;
    },
  };
}

function magnitude({ exponentBits, mantissaBits, bias, specials }: Layout, bits: number): number {
  const exponent = bits >> mantissaBits;
  const mantissa = bits & (2 ** mantissaBits - 1);
  const top = 2 ** exponentBits - 1;
  if (specials === "ieee" && exponent === top) return mantissa === 0 ? Number.POSITIVE_INFINITY : Number.NaN;
  if (specials === "fn" && exponent === top && mantissa === 2 ** mantissaBits - 1) return Number.NaN;
  if (exponent === 0) return mantissa * 2 ** (1 - bias - mantissaBits);
  return (2 ** mantissaBits + mantissa) * 2 ** (exponent - bias - mantissaBits);
}

function largestFinite(magnitudes: Float64Array): number {
  let index = magnitudes.length - 1;
  while (!Number.isFinite(magnitudes[index])) index--;
  return index;
}

const HALF_LARGEST = 0x7bff;
const HALF_INFINITY = 0x7c00;
const HALF_NAN = 0x7e00;
/** Patterns of float32: the largest that rounds to a finite float16, and 2^-14, its smallest normal number. */
const LARGEST = 0x477fefff;
const NORMAL = 0x38800000;
const INFINITE = 0x7f800000;
/** Adding and subtracting it rounds a float64 to a whole number, ties to even. */
const ROUNDER = 2 ** 52;

/**
 * `floatFormats.float16.encode` for many numbers that are float32 already.
 *
 * @param isClipped finite numbers stay finite, and those that are not 0 do not become 0.
 */
export function halfBits(values: Float32Array, isClipped = false): Uint16Array {
  const patterns = new Int32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(values.length);
  const largest = isClipped ? HALF_LARGEST : HALF_INFINITY;
  const smallest = isClipped ? 1 : 0;
  for (let i = 0; i < halves.length; i++) {
    const pattern = patterns[i]!;
    const magnitude = pattern & 0x7fffffff;
    const sign = (pattern >>> 16) & 0x8000;
    if (magnitude > INFINITE) halves[i] = HALF_NAN;
    else if (magnitude > LARGEST) halves[i] = sign | (magnitude === INFINITE ? HALF_INFINITY : largest);
    else if (magnitude >= NORMAL)
      halves[i] = sign | ((magnitude - (112 << 23) + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
    else if (magnitude > 0) halves[i] = sign | Math.max(smallest, Math.abs(values[i]!) * 2 ** 24 + ROUNDER - ROUNDER);
    else halves[i] = sign;
  }
  return halves;
}
