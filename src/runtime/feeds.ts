/** @file The one check of what a caller feeds, and the conversion between tensors and messages. */
import { DataError, ShapeError, UnsupportedError } from "../errors.ts";
import { byteLength, bytesOfTensor, type DataType, type Dim, dataTypes, formatType, type Tensor } from "../ir/index.ts";
import type { WireTensor } from "./protocol.ts";
import type { Feeds, Port } from "./session.ts";

/**
 * Checks names, dtypes, dims and byte lengths against the session's inputs. Equal symbolic dims may have unequal lengths, as for
 * the runtime. A wrong feed can end the process or, worse, be ignored.
 */
export function checkFeeds(feeds: Feeds, inputs: readonly Port[]): void {
  if (!(feeds instanceof Map)) {
    throw new DataError("feeds are a map from the names of inputs to tensors", {
      expected: "new Map([[name, tensor], …])",
      got: kindOf(feeds),
    });
  }
  checkNames(feeds, inputs);
  for (const port of inputs) {
    const feed = feeds.get(port.name)!;
    const where = `input ${JSON.stringify(port.name)}`;
    checkTensor(feed, where);
    checkType(feed, port, where);
    checkDims(feed, port, where);
    checkBytes(feed, where);
  }
}

/** Bytes of all tensors together; those of texts are not counted. */
export function feedBytes(feeds: Feeds): number {
  let bytes = 0;
  for (const tensor of feeds.values()) bytes += tensor.dtype === "string" ? 0 : bytesOfTensor(tensor).byteLength;
  return bytes;
}

function checkNames(feeds: Feeds, inputs: readonly Port[]): void {
  const names = new Set(inputs.map(({ name }) => name));
  const list = inputs.map(({ name }) => JSON.stringify(name)).join(", ");
  for (const name of feeds.keys()) {
    if (names.has(name)) continue;
    throw new DataError("a feed has no input of its name", {
      expected: list || "no feeds",
      got: JSON.stringify(name),
      hint: "The runtime ignores such feeds, overrides of initializers included; make the weight a plain input to feed it.",
    });
  }
  for (const name of names) {
    if (!feeds.has(name))
      throw new DataError("a feed is missing", { expected: list, got: `none for ${JSON.stringify(name)}` });
  }
}

/** Callers without types hand over anything. */
function checkTensor(feed: unknown, where: string): void {
  const { dtype, dims, data } = (feed ?? {}) as Partial<Record<keyof Tensor, unknown>>;
  const isTensor = typeof dtype === "string" && Object.hasOwn(dataTypes, dtype) && Array.isArray(dims);
  if (isTensor && data !== undefined && data !== null) return;
  throw new DataError("a feed is no tensor", {
    expected: "{ dtype, dims, data }, as tensor(dtype, dims, values) makes it",
    got: kindOf(feed),
    where,
  });
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value !== "object") return `a ${typeof value}`;
  const name: unknown = value.constructor?.name;
  return name === "Object" || typeof name !== "string"
    ? `an object with ${Object.keys(value).join(", ") || "nothing"}`
    : name;
}

function checkType({ dtype, dims }: Tensor, port: Port, where: string): void {
  if (port.dtype === undefined) throw new UnsupportedError("only tensors can be fed", { where });
  if (dtype === port.dtype) return;
  throw new DataError("a feed has the wrong dtype", {
    expected: formatPort(port),
    got: formatType({ kind: "tensor", dtype, dims }),
    where,
  });
}

function checkDims({ dtype, dims }: Tensor, port: Port, where: string): void {
  const whole = dims.every((dim) => Number.isSafeInteger(dim) && dim >= 0);
  const fits = !port.dims || (port.dims.length === dims.length && port.dims.every((dim, i) => fitsDim(dim, dims[i])));
  if (whole && fits) return;
  throw new ShapeError("a feed has the wrong dims", {
    expected: formatPort(port),
    got: formatType({ kind: "tensor", dtype, dims }),
    where,
  });
}

function fitsDim(dim: Dim, length: number | undefined): boolean {
  return typeof dim === "string" || dim === length;
}

function checkBytes({ dtype, dims, data }: Tensor, where: string): void {
  const count = dims.reduce((product, dim) => product * dim, 1);
  if (dataTypes[dtype].kind === "string") {
    const wrong = Array.isArray(data) ? data.findIndex((item: unknown) => !(item instanceof Uint8Array)) : -1;
    if (wrong >= 0) {
      throw new DataError("a feed's strings are not bytes", {
        expected: "strings(dims, texts)",
        got: kindOf((data as readonly unknown[])[wrong]),
        where,
      });
    }
    if (Array.isArray(data) && data.length === count) return;
    const got = Array.isArray(data) ? `${data.length}` : "raw bytes";
    throw new DataError("a feed's strings do not fill its dims", { expected: `${count} strings`, got, where });
  }
  if (!(data instanceof Uint8Array)) {
    throw new DataError("a feed has no bytes of its own", {
      expected: "the bytes of a tensor that was loaded, as tensor(dtype, dims, values) makes it",
      got: kindOf(data),
      where,
    });
  }
  const expected = byteLength(dtype, count);
  if (data.byteLength === expected) return;
  throw new DataError("a feed's bytes do not fill its dims", {
    expected: `${expected} bytes`,
    got: `${data.byteLength} bytes`,
    where,
  });
}

export function formatPort({ dtype, dims }: Port): string {
  if (!dtype) return "no tensor";
  return formatType(dims ? { kind: "tensor", dtype, dims } : { kind: "tensor", dtype });
}

/**
 * The feeds as messages. Each is copied into memory of its own (which also takes it out of shared memory, that the
 * runtime refuses), or, with `transfer`, handed over where it fills its buffer.
 */
export function wireFeeds(feeds: Feeds, transfer: boolean): WireTensor[] {
  return [...feeds].map(([name, { dtype, dims, data }]) => ({
    name,
    dtype,
    dims,
    data: wireData(dtype, data, transfer),
  }));
}

function wireData(dtype: DataType, data: Tensor["data"], transfer: boolean): WireTensor["data"] {
  if (dtype === "string") {
    const decoder = new TextDecoder();
    return (data as readonly Uint8Array[]).map((bytes) => decoder.decode(bytes));
  }
  const bytes = data as Uint8Array;
  return transfer && fillsBuffer(bytes) ? bytes : new Uint8Array(bytes);
}

function fillsBuffer(bytes: Uint8Array): bytes is Uint8Array<ArrayBuffer> {
  return bytes.buffer instanceof ArrayBuffer && bytes.byteLength === bytes.buffer.byteLength;
}

export function tensorFromWire({ dtype, dims, data }: WireTensor): Tensor {
  if (data instanceof Uint8Array) return { dtype, dims, data };
  const encoder = new TextEncoder();
  return { dtype, dims, data: data.map((text) => encoder.encode(text)) };
}
