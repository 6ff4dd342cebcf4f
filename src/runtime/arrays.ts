/** @file Runs with plain arrays in and out, for callers that have no use for tensors as bytes. */
import { DataError, ShapeError } from "../errors.ts";
import {
  type DataType,
  type Dim,
  dataTypes,
  type NumericArray,
  numbersOf,
  sizeOf,
  strings,
  stringsOf,
  type Tensor,
  tensor,
  tensorFromNumbers,
  typedArray,
} from "../ir/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import { formatPort } from "./feeds.ts";
import type { Feeds, Port, RunOptions, Session } from "./session.ts";

/** The elements of a tensor, in the array that JavaScript has for their type; texts in a list. */
export type Elements = NumericArray | readonly number[] | readonly string[];

/** Elements with their dims, as `runArrays` returns them. float16 and types of fewer than 8 bits come as float32 numbers. */
export interface ArrayTensor {
  readonly dtype: DataType;
  readonly dims: readonly number[];
  readonly data: NumericArray | readonly string[];
}

/** What an input takes: elements, where its dims follow from the model and their number; elements with dims; or a tensor. */
export type ArrayFeed = Elements | { readonly dims: readonly number[]; readonly data: Elements } | Tensor;

export type ArrayFeeds = Readonly<Record<string, ArrayFeed>>;

/**
 * Runs a model on typed arrays, lists of numbers or texts, by the names of its inputs. Numbers of another type than the input's are
 * converted where they are float32, float64 or a plain list: rounded to nearest, ties to even, and saturated.
 *
 * @returns the outputs by name; the object has no prototype, as names come from models.
 * @throws DataError and ShapeError for what does not fit an input.
 */
export async function runArrays(
  session: Pick<Session, "inputs" | "run">,
  feeds: ArrayFeeds,
  options: RunOptions = {},
): Promise<Record<string, ArrayTensor>> {
  checkOptions(options, runOptionsNames);
  const results = await session.run(feedsOf(feeds, session.inputs), options);
  const plain: Record<string, ArrayTensor> = Object.create(null);
  for (const [name, result] of results) plain[name] = arrayTensor(result);
  return plain;
}

const runOptionsNames: OptionNames<RunOptions> = { fetches: true, signal: true, transfer: true };

/** Plain arrays as the feeds of `Session.run`, for the inputs of a session. */
export function feedsOf(feeds: ArrayFeeds, inputs: readonly Port[]): Feeds {
  if (typeof feeds !== "object" || feeds === null || feeds instanceof Map || ArrayBuffer.isView(feeds)) {
    throw new DataError("feeds are an object of arrays by the names of inputs", { expected: "{ name: array, … }" });
  }
  const ports = new Map(inputs.map((port) => [port.name, port]));
  return new Map(Object.entries(feeds).map(([name, feed]) => [name, tensorOf(feed, ports.get(name), name)]));
}

function tensorOf(feed: ArrayFeed, port: Port | undefined, name: string): Tensor {
  const where = `input ${JSON.stringify(name)}`;
  if (port?.dtype === undefined) {
    throw new DataError("there is no such input", { got: JSON.stringify(name) });
  }
  if (isElements(feed)) return made(feed, port.dtype, dimsFor(feed.length, port, where), where);
  if (typeof feed !== "object" || feed === null || !Array.isArray(feed.dims)) throw noArray(feed, where);
  if ("dtype" in feed && feed.data instanceof Uint8Array) return feed;
  if (isElements(feed.data)) return made(feed.data, port.dtype, feed.dims, where);
  throw noArray(feed.data, where);
}

function isElements(value: unknown): value is Elements {
  return Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));
}

function noArray(got: unknown, where: string): DataError {
  return new DataError("a feed is no array", {
    expected: "a typed array, a list, or { dims, data }",
    got: got === null ? "null" : typeof got,
    where,
  });
}

/** The dims of an input, with the one that the model leaves open found from the number of elements. */
function dimsFor(length: number, port: Port, where: string): readonly number[] {
  const dims = port.dims ?? [""];
  const open = dims.filter((dim) => typeof dim === "string").length;
  const known = sizeOf(dims.filter((dim) => typeof dim === "number"));
  const rest = length / known;
  if (open <= 1 && Number.isInteger(rest) && (open === 1 || rest === 1)) return dims.map((dim) => lengthOf(dim, rest));
  throw new ShapeError(
    open > 1 ? "the dims of a feed do not follow from its length" : "a feed does not fill its input",
    {
      expected: open > 1 ? `{ dims, data } for ${formatPort(port)}` : formatPort(port),
      got: `${length} elements`,
      where,
    },
  );
}

function lengthOf(dim: Dim, rest: number): number {
  return typeof dim === "number" ? dim : rest;
}

function made(elements: Elements, dtype: DataType, dims: readonly number[], where: string): Tensor {
  if (elements.length !== sizeOf(dims)) {
    const got = `${elements.length} elements for [${dims.join(", ")}]`;
    throw new ShapeError("a feed does not fill its dims", { expected: `${sizeOf(dims)} elements`, got, where });
  }
  if (dtype === "string") return strings(dims, [...elements].map(asText(where)));
  if (ArrayBuffer.isView(elements) && isOwn(elements, dtype)) return tensor(dtype, dims, elements);
  if (elements instanceof Float32Array || elements instanceof Float64Array) {
    return tensorFromNumbers(dtype, dims, elements);
  }
  if (!ArrayBuffer.isView(elements)) return tensorFromNumbers(dtype, dims, [...elements].map(asNumber(where)));
  throw new DataError("a feed has the elements of another type", {
    expected: dtype,
    got: elements.constructor.name,
    where,
  });
}

const kinds: Readonly<Partial<Record<DataType, (elements: ArrayBufferView) => boolean>>> = {
  float32: (elements) => elements instanceof Float32Array,
  float64: (elements) => elements instanceof Float64Array,
  int8: (elements) => elements instanceof Int8Array,
  uint8: (elements) => elements instanceof Uint8Array,
  bool: (elements) => elements instanceof Uint8Array,
  int16: (elements) => elements instanceof Int16Array,
  uint16: (elements) => elements instanceof Uint16Array,
  int32: (elements) => elements instanceof Int32Array,
  uint32: (elements) => elements instanceof Uint32Array,
  int64: (elements) => elements instanceof BigInt64Array,
  uint64: (elements) => elements instanceof BigUint64Array,
  float16: (elements) => elements instanceof Uint16Array,
};

function isOwn(elements: NumericArray, dtype: DataType): boolean {
  return kinds[dtype]?.(elements) ?? false;
}

function asNumber(where: string): (value: unknown) => number {
  return (value) => {
    if (typeof value === "number") return value;
    throw new DataError("a feed's list holds what is no number", { got: typeof value, where });
  };
}

function asText(where: string): (value: unknown) => string {
  return (value) => {
    if (typeof value === "string") return value;
    throw new DataError("a feed's list holds what is no text", { got: typeof value, where });
  };
}

/** A tensor as the array that JavaScript has for its type. */
export function arrayTensor(result: Tensor): ArrayTensor {
  const { dtype, dims } = result;
  if (dtype === "string") return { dtype, dims, data: stringsOf(result) };
  const hasArray = dtype !== "float16" && dataTypes[dtype].bits >= 8 && Object.hasOwn(kinds, dtype);
  return { dtype, dims, data: hasArray ? typedArray(result) : new Float32Array(numbersOf(result)) };
}
