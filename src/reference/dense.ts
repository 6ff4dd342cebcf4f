/** @file The evaluator's arrays: float64 for floats, booleans and small integers; exact 64-bit integers; strings. */
import { ShapeError, UnsupportedError } from "../errors.ts";
import {
  boundedSize,
  type DataType,
  dataTypes,
  type FloatFormat,
  floatFormats,
  nearestNumber,
  numbersOf,
  sizeOf,
  strings,
  stringsOf,
  type Tensor,
  tensor,
  tensorFromNumbers,
  truncatedBigint,
  typedArray,
} from "../ir/index.ts";

export type Elements = Float64Array | BigInt64Array | BigUint64Array | string[];

/** A dense array. `dtype` is the declared type; floats are held unrounded unless the evaluation asks for rounding. */
export interface Dense {
  readonly dtype: DataType;
  readonly dims: readonly number[];
  readonly data: Elements;
}

export interface Sequence {
  readonly items: readonly Held[];
}

/** An optional that holds nothing. */
export interface Empty {
  readonly empty: true;
}

/** What a value of a graph holds while it is evaluated. */
export type Held = Dense | Sequence | Empty;

/** `float64`: no rounding. `declared`: each result is rounded to its dtype. */
export type Precision = "float64" | "declared";

/** More elements than this in one array are refused before they are allocated. */
const MAX_ELEMENTS = 2 ** 28;

export function isDense(held: Held | undefined): held is Dense {
  return held !== undefined && "data" in held;
}

export function isBig(dtype: DataType): dtype is "int64" | "uint64" {
  return dtype === "int64" || dtype === "uint64";
}

export function isFloat(dtype: DataType): boolean {
  return dataTypes[dtype].kind === "float";
}

/** The count itself, when that many elements may be allocated. */
export function bounded(count: number): number {
  return boundedSize(count, MAX_ELEMENTS);
}

/** Zeros, or empty strings. */
export function allocate(dtype: DataType, count: number): Elements {
  bounded(count);
  if (dtype === "int64") return new BigInt64Array(count);
  if (dtype === "uint64") return new BigUint64Array(count);
  if (dtype === "string") return new Array<string>(count).fill("");
  if (dataTypes[dtype].kind === "complex") throw new UnsupportedError(`${dtype} is not evaluated`);
  return new Float64Array(count);
}

/** An array of `dtype` from numbers; 64-bit integers are truncated towards zero. */
export function dense(dtype: DataType, dims: readonly number[], values: ArrayLike<number>): Dense {
  const count = sizeOf(dims);
  if (values.length !== count) {
    throw new ShapeError("an array does not fill its dims", {
      expected: `${count} elements for [${dims.join(", ")}]`,
      got: `${values.length}`,
    });
  }
  if (dtype === "int64") return { dtype, dims, data: truncated(new BigInt64Array(count), values) };
  if (dtype === "uint64") return { dtype, dims, data: truncated(new BigUint64Array(count), values) };
  return { dtype, dims, data: values instanceof Float64Array ? values : Float64Array.from(values) };
}

function truncated<T extends BigInt64Array | BigUint64Array>(into: T, values: ArrayLike<number>): T {
  for (let i = 0; i < into.length; i++) into[i] = truncatedBigint(values[i]!);
  return into;
}

export function text(dims: readonly number[], values: readonly string[]): Dense {
  return { dtype: "string", dims, data: [...values] };
}

/** The elements as numbers; the array itself when it holds numbers already. */
export function numbers(x: Dense): Float64Array {
  if (x.data instanceof Float64Array) return x.data;
  if (Array.isArray(x.data)) throw new UnsupportedError("strings have no numbers");
  const { data } = x;
  return new Float64Array(data.length).map((_, i) => nearestNumber(data[i]!));
}

export function texts(x: Dense): readonly string[] {
  if (!Array.isArray(x.data)) throw new UnsupportedError(`${x.dtype} elements are not strings`, { expected: "string" });
  return x.data;
}

/** The elements as exact integers. */
export function bigints(x: Dense): BigInt64Array | BigUint64Array {
  if (x.data instanceof BigInt64Array || x.data instanceof BigUint64Array) return x.data;
  const values = numbers(x);
  return truncated(new BigInt64Array(values.length), values);
}

/** The elements, to be moved between arrays of one dtype, whatever they are. */
export function slotsOf({ data }: Pick<Dense, "data">): unknown[] {
  return data as unknown[];
}

/** Elements of `x` picked by flat index; -1 picks zero (or the empty string). */
export function select(x: Dense, dims: readonly number[], source: ArrayLike<number>): Dense {
  const data = allocate(x.dtype, source.length);
  const [to, from] = [slotsOf({ data }), slotsOf(x)];
  for (let i = 0; i < source.length; i++) {
    const at = source[i]!;
    if (at >= 0) to[i] = from[at];
  }
  return { dtype: x.dtype, dims, data };
}

/** The same elements under other dims. */
export function reshaped(x: Dense, dims: readonly number[]): Dense {
  if (sizeOf(dims) !== sizeOf(x.dims)) {
    throw new ShapeError("a reshape changes the number of elements", {
      expected: `${sizeOf(x.dims)} elements`,
      got: `[${dims.join(", ")}]`,
    });
  }
  return { dtype: x.dtype, dims, data: x.data };
}

export function retyped(x: Dense, dtype: DataType): Dense {
  return { dtype, dims: x.dims, data: x.data };
}

/** Brings every element into the range of its dtype: integers wrap, booleans are 0 or 1, floats round if asked. */
export function settled(x: Dense, precision: Precision): Dense {
  const round = x.data instanceof Float64Array ? roundingOf(x.dtype, precision) : undefined;
  if (!round || !(x.data instanceof Float64Array)) return x;
  const data = x.data;
  if (data.every((value) => Object.is(round(value), value))) return x;
  return { dtype: x.dtype, dims: x.dims, data: data.map(round) };
}

/** How one element of `dtype` is brought into its range; `undefined` when nothing is to be done. */
export function roundingOf(dtype: DataType, precision: Precision): ((value: number) => number) | undefined {
  const { kind, bits } = dataTypes[dtype];
  if (kind === "bool") return (value) => (value === 0 ? 0 : 1);
  if (kind === "int" || kind === "uint") return wrapping(bits, kind === "int");
  if (kind !== "float" || dtype === "float64") return undefined;
  if (precision === "float64" && bits > 8) return undefined;
  if (dtype === "float32") return Math.fround;
  const format: FloatFormat | undefined = floatFormats[dtype];
  return format && ((value) => format.decode(format.encode(value)));
}

/** Two's complement wrap-around of numbers truncated towards zero. */
function wrapping(bits: number, signed: boolean): (value: number) => number {
  const range = 2 ** bits;
  const low = signed ? -range / 2 : 0;
  const high = low + range;
  return (value) => {
    const whole = Math.trunc(value);
    if (whole >= low && whole < high) return whole + 0;
    if (!Number.isFinite(value)) return 0;
    const rest = ((whole % range) + range) % range;
    return rest >= high ? rest - range : rest;
  };
}

/** Saturates to the integer range of `dtype`; no change for floats. */
export function saturating(dtype: DataType): (value: number) => number {
  const { kind, bits } = dataTypes[dtype];
  if (kind !== "int" && kind !== "uint") return (value) => value;
  const low = kind === "int" ? -(2 ** (bits - 1)) : 0;
  const high = low + 2 ** bits - 1;
  return (value) => Math.min(high, Math.max(low, value));
}

export function fromTensor(t: Tensor): Dense {
  if (t.dtype === "string") return { dtype: "string", dims: t.dims, data: stringsOf(t) };
  if (isBig(t.dtype)) return { dtype: t.dtype, dims: t.dims, data: typedArray(t) as BigInt64Array | BigUint64Array };
  return { dtype: t.dtype, dims: t.dims, data: numbersOf(t) };
}

/** The array as a tensor: floats as float64 in that precision, else everything in its declared dtype. */
export function toTensor(x: Dense, precision: Precision): Tensor {
  if (Array.isArray(x.data)) return strings(x.dims, x.data);
  if (!(x.data instanceof Float64Array)) return tensor(x.dtype, x.dims, x.data);
  if (precision === "float64" && isFloat(x.dtype)) return tensor("float64", x.dims, x.data);
  return tensorFromNumbers(x.dtype, x.dims, x.data);
}

/** The larger of two integers. */
export function largerOf<T extends number | bigint>(a: T, b: T): T {
  if (a > b) return a;
  return b;
}

/** The smaller of two integers. */
export function smallerOf<T extends number | bigint>(a: T, b: T): T {
  if (a < b) return a;
  return b;
}
