/** @file Quantization: q = saturate(round(x / scale) + zeroPoint), x ≈ (q − zeroPoint) · scale, and integer products. */
import { nth } from "../checked.ts";
import { type DataType, floatFormats, intOf, roundHalfEven } from "../ir/index.ts";
import { castNumber } from "./cast.ts";
import { dtypeAttribute } from "./constant.ts";
import { convolve } from "./conv.ts";
import { type Dense, dense, numbers, type Precision, roundingOf, saturating, select } from "./dense.ts";
import { mapped, zipped } from "./elementwise.ts";
import { forEachIndex, stridesOf } from "./indexing.ts";
import { type Call, inputOf, type Kernels, optionalInput } from "./kernel.ts";
import { matmul } from "./matmul.ts";

export interface Parameters {
  readonly scale: Dense;
  readonly zeroPoint: Dense | undefined;
}

/**
 * Per-tensor, per-axis or blocked parameters shaped to broadcast against `dims`.
 * Blocked ones have the rank of the array, and one entry for every `block` elements of the axis.
 */
export function spread(v: Dense, dims: readonly number[], axis: number, block: number): Dense {
  if (block === 0 && numbers(v).length === 1) return { ...v, dims: [] };
  if (block === 0 && v.dims.length <= 1) return { ...v, dims: dims.map((dim, i) => (i === axis ? dim : 1)) };
  if (block === 0) return v;
  const strides = stridesOf(v.dims);
  const source: number[] = [];
  forEachIndex(dims, (index) => {
    source.push(index.reduce((sum, i, a) => sum + (a === axis ? Math.floor(i / block) : i) * nth(strides, a), 0));
  });
  return select(v, dims, source);
}

function rounder(dtype: DataType, precision: Precision): (value: number) => number {
  return roundingOf(dtype, precision) ?? ((value) => value);
}

/** Quantizes with parameters that broadcast against `x`. */
export function quantized(
  x: Dense,
  { scale, zeroPoint }: Parameters,
  to: DataType,
  precision: Precision,
  saturateFloats = true,
): Dense {
  const round = rounder(scale.dtype, precision);
  const scaled = zipped(x, scale, (value, s) => round(value / s));
  if (floatFormats[to]) return mapped({ ...scaled, dtype: to }, (value) => castNumber(value, to, saturateFloats));
  const points = zeroPoint ?? dense(to, [], [0]);
  const saturate = saturating(to);
  return zipped(scaled, points, (value, zero) => saturate(roundHalfEven(value) + zero), to);
}

export function dequantized(q: Dense, { scale, zeroPoint }: Parameters, dtype: DataType = scale.dtype): Dense {
  const centred = zeroPoint ? zipped(q, zeroPoint, (value, zero) => value - zero, dtype) : { ...q, dtype };
  return zipped(centred, scale, (value, s) => value * s);
}

/** Parameters from two inputs of the call, for an array of `dims`. */
function parametersAt(call: Call, at: number, dims: readonly number[], defaultAxis = 1): Parameters {
  const given = intOf(call.node, "axis", defaultAxis);
  const axis = dims.length === 0 ? 0 : Math.min(given < 0 ? given + dims.length : given, dims.length);
  const block = intOf(call.node, "block_size", 0);
  const zero = optionalInput(call, at + 1);
  return {
    scale: spread(inputOf(call, at), dims, axis, block),
    zeroPoint: zero && spread(zero, dims, axis, block),
  };
}

function quantizeLinear(call: Call): Dense {
  const x = inputOf(call, 0);
  const parameters = parametersAt(call, 1, x.dims);
  const to = optionalInput(call, 2)?.dtype ?? dtypeAttribute(call, "output_dtype") ?? "uint8";
  return quantized(x, parameters, to, call.precision, intOf(call.node, "saturate", 1) === 1);
}

function dequantizeLinear(call: Call): Dense {
  const q = inputOf(call, 0);
  return dequantized(q, parametersAt(call, 1, q.dims), dtypeAttribute(call, "output_dtype"));
}

/** Parameters of 8 unsigned bits whose range holds all values and zero. */
export function dynamicParameters(x: Dense, precision: Precision): Parameters {
  const round = rounder(x.dtype, precision);
  const values = numbers(x);
  const [low, high] = [values.reduce((a, b) => Math.min(a, b), 0), values.reduce((a, b) => Math.max(a, b), 0)];
  const scale = high === low ? 1 : round((high - low) / 255);
  const zero = saturating("uint8")(roundHalfEven(-low / scale));
  return { scale: dense(x.dtype, [], [scale]), zeroPoint: dense("uint8", [], [zero]) };
}

function dynamicQuantizeLinear(call: Call): Dense[] {
  const x = inputOf(call, 0);
  const parameters = dynamicParameters(x, call.precision);
  return [quantized(x, parameters, "uint8", call.precision), parameters.scale, parameters.zeroPoint!];
}

/** The integers minus their zero point, as exact numbers. */
function centred(q: Dense, zero: Dense | undefined, shape: (zero: Dense) => readonly number[]): Dense {
  const wide: Dense = { ...q, dtype: "float64" };
  return zero ? zipped(wide, { ...zero, dims: numbers(zero).length === 1 ? [] : shape(zero) }, (a, b) => a - b) : wide;
}

/** Zero points of A belong to rows, those of B to columns. */
function rows(zero: Dense): readonly number[] {
  return zero.dims.length === 1 ? [...zero.dims, 1] : zero.dims;
}

function integerProduct(a: Dense, b: Dense, zeroA: Dense | undefined, zeroB: Dense | undefined): Dense {
  return matmul(
    centred(a, zeroA, rows),
    centred(b, zeroB, (zero) => zero.dims),
  );
}

function matmulInteger(call: Call): Dense {
  const product = integerProduct(inputOf(call, 0), inputOf(call, 1), optionalInput(call, 2), optionalInput(call, 3));
  return { ...product, dtype: "int32" };
}

function filters(x: Dense): (v: Dense) => readonly number[] {
  return (v) => [v.dims[0] ?? 1, ...x.dims.slice(1).map(() => 1)];
}

function convInteger(call: Call): Dense {
  const [x, w] = [inputOf(call, 0), inputOf(call, 1)];
  const y = convolve(
    call,
    centred(x, optionalInput(call, 2), filters(x)),
    centred(w, optionalInput(call, 3), filters(w)),
  );
  return { ...y, dtype: "int32" };
}

/** Inputs: x, its scale and zero point, w, its scale(s) and zero point(s), the output's scale and zero point, bias. */
function qlinearConv(call: Call): Dense {
  const at = (i: number): Dense => inputOf(call, i);
  const [x, w] = [at(0), at(3)];
  const bias = optionalInput(call, 8);
  const sums = convolve(call, centred(x, at(2), filters(x)), centred(w, at(5), filters(w)), bias);
  const perFilter = numbers(at(4)).length === 1 ? [] : [numbers(at(4)).length, ...x.dims.slice(2).map(() => 1)];
  const real = zipped(sums, { ...at(4), dims: perFilter }, (sum, scale) => sum * scale * numbers(at(1))[0]!);
  return requantized(call, real, at(6), at(7));
}

function requantized(call: Call, real: Dense, scale: Dense, zeroPoint: Dense): Dense {
  const round = rounder("float32", call.precision);
  const rounded = mapped(real, round);
  return quantized(
    rounded,
    { scale: { ...scale, dims: [] }, zeroPoint: { ...zeroPoint, dims: [] } },
    zeroPoint.dtype,
    call.precision,
  );
}

/** Inputs: a, its scale and zero point, b, its scale(s) and zero point(s), the output's scale and zero point. */
function qlinearMatmul(call: Call): Dense {
  const at = (i: number): Dense => inputOf(call, i);
  const sums = integerProduct(at(0), at(3), at(2), at(5));
  const one = (scale: Dense, dims: readonly number[]): Dense => ({
    ...scale,
    dims: numbers(scale).length === 1 ? [] : dims,
  });
  const left = zipped(sums, one(at(1), rows(at(1))), (sum, scale) => sum * scale);
  const real = zipped(left, one(at(4), at(4).dims), (sum, scale) => sum * scale);
  return requantized(call, real, at(6), at(7));
}

export const quantizations = {
  QuantizeLinear: quantizeLinear,
  DequantizeLinear: dequantizeLinear,
  DynamicQuantizeLinear: dynamicQuantizeLinear,
  MatMulInteger: matmulInteger,
  ConvInteger: convInteger,
  QLinearConv: qlinearConv,
  QLinearMatMul: qlinearMatmul,
} satisfies Kernels;
