/** @file Tensors: a dtype, dims and little-endian bytes that are never copied without need. */
import { InvalidModelError, ShapeError, UnsupportedError } from "../errors.ts";
import { type FloatFormat, floatFormats, halfBits } from "./float-formats.ts";
import { exactBigint, nearestNumber } from "./int64.ts";
import { byteLength, type DataType, dataTypes } from "./types.ts";

/** Where the bytes of a tensor lie when they are outside the model file. */
export interface ExternalReference {
  readonly location: string;
  readonly offset: number;
  /** Absent: to the end of the file. */
  readonly length?: number;
  readonly checksum?: string;
}

/** What only the codec can read: fields that the IR has no noun for, kept for the way back. */
export type Preserved = object;

export interface Tensor {
  readonly dtype: DataType;
  readonly dims: readonly number[];
  readonly data: Uint8Array | readonly Uint8Array[] | ExternalReference;
  readonly docString?: string;
  readonly metadata?: ReadonlyMap<string, string>;
  readonly preserved?: Preserved;
}

/** Coordinates of the nonzero elements: `indices` is [nnz] (flat) or [nnz, rank]. */
export interface SparseTensor {
  readonly dims: readonly number[];
  readonly values: Tensor;
  readonly indices: Tensor;
  readonly preserved?: Preserved;
}

export type Initializer = Tensor | SparseTensor;

export function isSparse(value: Initializer): value is SparseTensor {
  return "indices" in value;
}

export type NumericArray =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

type ArrayConstructor = {
  new (buffer: ArrayBufferLike, offset: number, length: number): NumericArray;
  readonly BYTES_PER_ELEMENT: number;
};

const arrays: Partial<Record<DataType, ArrayConstructor>> = {
  float32: Float32Array,
  float64: Float64Array,
  uint8: Uint8Array,
  int8: Int8Array,
  bool: Uint8Array,
  uint16: Uint16Array,
  int16: Int16Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  uint32: Uint32Array,
  int32: Int32Array,
  uint64: BigUint64Array,
  int64: BigInt64Array,
};

/** A tensor over `values`' own memory. The length must be the product of `dims`. */
export function tensor(dtype: DataType, dims: readonly number[], values: NumericArray | readonly number[]): Tensor {
  const data = ArrayBuffer.isView(values) ? bytesOf(values) : bytesOf(fromNumbers(dtype, values));
  const expected = byteLength(dtype, sizeOf(dims));
  if (data.byteLength !== expected) {
    throw new ShapeError("a tensor's data does not fill its dims", {
      expected: `${expected} bytes for ${dtype}[${dims.join(", ")}]`,
      got: `${data.byteLength} bytes`,
    });
  }
  return { dtype, dims, data };
}

export function scalar(dtype: DataType, value: number): Tensor {
  return tensor(dtype, [], [value]);
}

/** A one-dimensional int64 tensor, the form of shapes, axes and pads. Numbers must be exact. */
export function int64s(values: readonly (number | bigint)[]): Tensor {
  const exact = values.map((value) => (typeof value === "bigint" ? value : exactBigint(value)));
  return tensor("int64", [values.length], new BigInt64Array(exact));
}

export function strings(dims: readonly number[], values: readonly string[]): Tensor {
  const encoder = new TextEncoder();
  return { dtype: "string", dims, data: values.map((value) => encoder.encode(value)) };
}

export function sizeOf(dims: readonly number[]): number {
  return dims.reduce((product, dim) => product * dim, 1);
}

/** The raw little-endian bytes. External data must have been loaded before. */
export function bytesOfTensor(t: Tensor): Uint8Array {
  if (t.data instanceof Uint8Array) return t.data;
  if (Array.isArray(t.data)) throw new UnsupportedError("string tensors have no raw bytes");
  throw new InvalidModelError("a tensor's external data was not loaded", {
    got: `a reference to ${JSON.stringify((t.data as ExternalReference).location)}`,
    hint: "Load the model with loadModel(path), which resolves external data.",
  });
}

/** A typed view without a copy where alignment allows; 16-bit floats as their bit patterns. */
export function typedArray(t: Tensor): NumericArray {
  const bytes = bytesOfTensor(t);
  const arrayType = arrays[t.dtype];
  if (!arrayType) throw new UnsupportedError(`${t.dtype} has no typed array; use numbersOf`);
  const aligned = bytes.byteOffset % arrayType.BYTES_PER_ELEMENT === 0 ? bytes : new Uint8Array(bytes);
  return new arrayType(aligned.buffer, aligned.byteOffset, sizeOf(t.dims));
}

/** The elements as a float64 array; 64-bit integers beyond 2^53 are rounded. */
export function numbersOf(t: Tensor): Float64Array {
  if (t.dtype === "string") throw new UnsupportedError("string tensors have no numbers");
  const format: FloatFormat | undefined = floatFormats[t.dtype];
  const values = new Float64Array(sizeOf(t.dims));
  if (format) return filled(values, bitsIn(t), (bits) => format.decode(bits));
  if (dataTypes[t.dtype].bits < 8) return filled(values, bitsIn(t), (bits) => signed(t, bits));
  return filled(values, elementsOf(typedArray(t) as ArrayLike<number | bigint>), nearestNumber);
}

/** The elements as float32; a view when the tensor is float32 already. */
export function floatsOf(t: Tensor): Float32Array {
  const view = t.dtype === "float32" ? typedArray(t) : numbersOf(t);
  return view instanceof Float32Array ? view : new Float32Array(view as Float64Array);
}

export function stringsOf(t: Tensor): string[] {
  if (!Array.isArray(t.data)) throw new UnsupportedError(`a ${t.dtype} tensor has no strings`);
  const decoder = new TextDecoder();
  return (t.data as readonly Uint8Array[]).map((bytes) => decoder.decode(bytes));
}

/** Converts numbers to the bytes of `dtype`, rounding to nearest even and saturating integers; those of 64 bits must be exact. */
export function tensorFromNumbers(dtype: DataType, dims: readonly number[], values: ArrayLike<number>): Tensor {
  return tensor(dtype, dims, fromNumbers(dtype, values));
}

function fromNumbers(dtype: DataType, values: ArrayLike<number>): NumericArray {
  const format: FloatFormat | undefined = floatFormats[dtype];
  const { bits, kind } = dataTypes[dtype];
  if (dtype === "float16" && values instanceof Float32Array) return halfBits(values);
  if (format) return packBits(bits, values, (value) => format.encode(value));
  if (bits < 8) return packBits(bits, values, (value) => saturate(value, bits, kind === "int") & ((1 << bits) - 1));
  if (dtype === "float32") return new Float32Array(values);
  if (dtype === "float64") return new Float64Array(values);
  if (dtype === "bool")
    return filled(new Uint8Array(values.length), elementsOf(values), (value) => (value === 0 ? 0 : 1));
  if (dtype === "int64") return exactElements(new BigInt64Array(values.length), values);
  if (dtype === "uint64") return exactElements(new BigUint64Array(values.length), values);
  const arrayType = arrays[dtype];
  if (!arrayType) throw new UnsupportedError(`numbers cannot be stored as ${dtype}`);
  const result = new arrayType(new ArrayBuffer(values.length * arrayType.BYTES_PER_ELEMENT), 0, values.length);
  for (let i = 0; i < values.length; i++) result[i] = saturate(values[i]!, bits, kind === "int");
  return result;
}

function exactElements<T extends BigInt64Array | BigUint64Array>(elements: T, values: ArrayLike<number>): T {
  for (let i = 0; i < values.length; i++) elements[i] = exactBigint(values[i]!);
  return elements;
}

function saturate(value: number, bits: number, isSigned: boolean): number {
  const low = isSigned ? -(2 ** (bits - 1)) : 0;
  const high = isSigned ? 2 ** (bits - 1) - 1 : 2 ** bits - 1;
  const rounded = roundHalfEven(value);
  return Math.min(high, Math.max(low, rounded));
}

/** Rounds to the nearest integer, ties to even, as ONNX and NumPy do. */
export function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

function packBits(bits: number, values: ArrayLike<number>, encode: (value: number) => number): NumericArray {
  if (bits === 16) return filled(new Uint16Array(values.length), elementsOf(values), encode);
  if (bits === 8) return filled(new Uint8Array(values.length), elementsOf(values), encode);
  const perByte = 8 / bits;
  const packed = new Uint8Array(Math.ceil(values.length / perByte));
  for (let i = 0; i < values.length; i++) {
    packed[Math.floor(i / perByte)]! |= encode(values[i]!) << ((i % perByte) * bits);
  }
  return packed;
}

type At<T> = (index: number) => T;

/** Sets every element in a loop: `from` of typed arrays makes a list of JavaScript values first, which ends the process at 2^27. */
function filled<A extends Float64Array | Uint16Array | Uint8Array, T>(into: A, at: At<T>, make: (of: T) => number): A {
  for (let i = 0; i < into.length; i++) into[i] = make(at(i));
  return into;
}

function elementsOf<T>(values: ArrayLike<T>): At<T> {
  return (i) => values[i]!;
}

/** The bit patterns of the elements. */
function bitsIn(t: Tensor): At<number> {
  const bytes = bytesOfTensor(t);
  const { bits } = dataTypes[t.dtype];
  if (bits === 16) return (i) => bytes[2 * i]! | (bytes[2 * i + 1]! << 8);
  if (bits === 8) return (i) => bytes[i]!;
  const perByte = 8 / bits;
  return (i) => (bytes[Math.floor(i / perByte)]! >> ((i % perByte) * bits)) & ((1 << bits) - 1);
}

function signed(t: Tensor, pattern: number): number {
  const { bits, kind } = dataTypes[t.dtype];
  return kind === "int" && pattern >= 2 ** (bits - 1) ? pattern - 2 ** bits : pattern;
}

function bytesOf(view: NumericArray): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}
