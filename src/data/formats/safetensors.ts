/**
 * @file safetensors: a little-endian uint64 header length, a JSON header, then the tensors' bytes. Read as strictly as the
 * reference: sorted by offset the tensors are contiguous, do not overlap and fill the file; no key appears twice.
 */
import { ensure, FormatError, LimitError, ShapeError, UnsupportedError } from "../../errors.ts";
import {
  byteLength,
  bytesOfTensor,
  type DataType,
  exactBigint,
  exactNumber,
  sizeOf,
  type Tensor,
} from "../../ir/index.ts";
import { type ByteSource, dataView } from "../bytes.ts";
import { concat } from "../inflate.ts";
import { decodeText } from "../json.ts";
import { limits } from "../limits.ts";
import { checkDims, type StoredArray } from "../stored-array.ts";
import { type JsonValue, parseStrictJson } from "./strict-json.ts";

const typeCodes: ReadonlyMap<string, DataType> = new Map([
  ["BOOL", "bool"],
  ["U8", "uint8"],
  ["I8", "int8"],
  ["U16", "uint16"],
  ["I16", "int16"],
  ["F16", "float16"],
  ["BF16", "bfloat16"],
  ["U32", "uint32"],
  ["I32", "int32"],
  ["F32", "float32"],
  ["U64", "uint64"],
  ["I64", "int64"],
  ["F64", "float64"],
  ["F8_E4M3", "float8e4m3fn"],
  ["F8_E5M2", "float8e5m2"],
  ["F8_E8M0", "float8e8m0"],
  ["C64", "complex64"],
] satisfies [string, DataType][]);

export interface Safetensors {
  /** By name, in the order of their bytes. */
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly metadata: ReadonlyMap<string, string>;
}

interface Entry {
  readonly name: string;
  readonly dtype: DataType;
  readonly dims: readonly number[];
  readonly begin: number;
  readonly end: number;
}

interface Header {
  readonly entries: readonly Entry[];
  readonly metadata: ReadonlyMap<string, string>;
  /** Of the first tensor, in bytes. */
  readonly offset: number;
}

/** All tensors of a file in memory, without a copy. */
export function readSafetensors(bytes: Uint8Array, where = "safetensors"): Safetensors {
  const length = headerLength(bytes.subarray(0, 8), bytes.byteLength, where);
  const header = parseHeader(bytes.subarray(8, 8 + length), bytes.byteLength - 8 - length, where);
  const tensors = new Map<string, Tensor>();
  for (const { name, dtype, dims, begin, end } of header.entries) {
    tensors.set(name, { dtype, dims, data: bytes.subarray(header.offset + begin, header.offset + end) });
  }
  return { tensors, metadata: header.metadata };
}

/** The tensors of a file as arrays that are read by range. */
export async function safetensorsArrays(open: () => Promise<ByteSource>): Promise<ReadonlyMap<string, StoredArray>> {
  const source = await open();
  try {
    const length = headerLength(await source.read(0, Math.min(8, source.size)), source.size, source.name);
    const header = parseHeader(await source.read(8, length), source.size - 8 - length, source.name);
    const arrays = header.entries.map(({ name, dtype, dims, begin }): [string, StoredArray] => {
      const offset = header.offset + begin;
      return [name, { name: `${source.name}, ${JSON.stringify(name)}`, dtype, dims, offset, bigEndian: false, open }];
    });
    return new Map(arrays);
  } finally {
    await source.close();
  }
}

function headerLength(start: Uint8Array, size: number, where: string): number {
  ensure(start.byteLength === 8, () => malformed("it is shorter than its header length", where));
  const length = dataView(start).getBigUint64(0, true);
  ensure(
    length <= limits.safetensorsHeader,
    () =>
      new LimitError("the safetensors header is too large", {
        expected: `at most ${limits.safetensorsHeader} bytes`,
        got: `${length}`,
        where,
      }),
  );
  ensure(8 + exactNumber(length) <= size, () => malformed("its header reaches beyond the end", where));
  return exactNumber(length);
}

function parseHeader(bytes: Uint8Array, dataLength: number, where: string): Header {
  ensure(bytes[0] === 0x7b, () => malformed("its header does not start with {", where));
  const fields = parseStrictJson(decodeText(bytes, where), where, limits.tensors);
  ensure(fields instanceof Map, () => malformed("its header is no object", where));
  const all = fields as ReadonlyMap<string, JsonValue>;
  const entries = [...all]
    .filter(([name]) => name !== "__metadata__")
    .map(([name, value]) => parseEntry(name, value, `${where}, tensor ${JSON.stringify(name)}`))
    .sort((a, b) => a.begin - b.begin || a.end - b.end);
  checkCoverage(entries, dataLength, where);
  return { entries, metadata: parseMetadata(all.get("__metadata__"), where), offset: 8 + bytes.byteLength };
}

function parseEntry(name: string, value: JsonValue, where: string): Entry {
  ensure(value instanceof Map && value.size === 3, () =>
    malformed("an entry is not { dtype, shape, data_offsets }", where),
  );
  const fields = value as ReadonlyMap<string, JsonValue>;
  const code = fields.get("dtype");
  const dims = sizes(fields.get("shape"), where);
  const offsets = sizes(fields.get("data_offsets"), where);
  const dtype = typeof code === "string" ? typeCodes.get(code) : undefined;
  if (!dtype)
    throw new UnsupportedError("a tensor's dtype is unknown", {
      expected: [...typeCodes.keys()].join(", "),
      got: JSON.stringify(code) ?? "nothing",
      where,
    });
  ensure(offsets.length === 2, () => malformed("data_offsets is no pair", where));
  checkDims(dims, where);
  const [begin, end] = offsets as [number, number];
  const expected = byteLength(dtype, sizeOf(dims));
  ensure(
    end - begin === expected,
    () =>
      new FormatError("a tensor's bytes do not fill its dims", {
        expected: `${expected} bytes`,
        got: `${end - begin}`,
        where,
      }),
  );
  return { name, dtype, dims, begin, end };
}

function sizes(value: JsonValue | undefined, where: string): number[] {
  const fine = Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && (item as number) >= 0);
  ensure(fine, () => malformed("shape or data_offsets is no list of sizes", where));
  return value as number[];
}

function checkCoverage(entries: readonly Entry[], dataLength: number, where: string): void {
  let end = 0;
  for (const entry of entries) {
    ensure(entry.begin === end, () =>
      malformed(
        entry.begin < end ? "its tensors overlap" : "it has a gap between tensors",
        `${where}, tensor ${JSON.stringify(entry.name)}`,
      ),
    );
    end = entry.end;
  }
  ensure(
    end === dataLength,
    () =>
      new FormatError("the safetensors file's length contradicts its header", {
        expected: `${end} bytes of tensors`,
        got: `${dataLength}`,
        where,
      }),
  );
}

function parseMetadata(value: JsonValue | undefined, where: string): ReadonlyMap<string, string> {
  if (value === undefined) return new Map();
  const fine = value instanceof Map && [...value.values()].every((item) => typeof item === "string");
  ensure(fine, () => malformed("__metadata__ is no object of strings", where));
  return value as ReadonlyMap<string, string>;
}

/** A file of the tensors, ordered by falling element size and then by name, so that each is aligned. */
export function encodeSafetensors(
  tensors: ReadonlyMap<string, Tensor>,
  metadata: ReadonlyMap<string, string> = new Map(),
): Uint8Array {
  const ordered = [...tensors].map(([name, value]) => checkedForWriting(name, value)).sort(byWidthThenName);
  const fields: string[] = [];
  if (metadata.size > 0) fields.push(`"__metadata__":${JSON.stringify(Object.fromEntries(metadata))}`);
  let offset = 0;
  for (const { name, code, dims, data } of ordered) {
    const entry = { dtype: code, shape: dims, data_offsets: [offset, offset + data.byteLength] };
    fields.push(`${JSON.stringify(name)}:${JSON.stringify(entry)}`);
    offset += data.byteLength;
  }
  const json = new TextEncoder().encode(`{${fields.join(",")}}`);
  const padded = new Uint8Array(8 + Math.ceil(json.byteLength / 8) * 8).fill(0x20);
  dataView(padded).setBigUint64(0, exactBigint(padded.byteLength - 8), true);
  padded.set(json, 8);
  return concat([padded, ...ordered.map(({ data }) => data)], padded.byteLength + offset);
}

interface Writable {
  readonly name: string;
  readonly code: string;
  readonly dims: readonly number[];
  readonly width: number;
  readonly data: Uint8Array;
}

function checkedForWriting(name: string, value: Tensor): Writable {
  const code = [...typeCodes].find(([, dtype]) => dtype === value.dtype)?.[0];
  const where = `tensor ${JSON.stringify(name)}`;
  if (!code || name === "__metadata__")
    throw new UnsupportedError(`safetensors cannot hold ${value.dtype} under this name`, { where });
  const data = bytesOfTensor(value);
  const width = byteLength(value.dtype, 1);
  ensure(
    data.byteLength === width * sizeOf(value.dims),
    () => new ShapeError("a tensor's data does not fill its dims", { where }),
  );
  return { name, code, dims: value.dims, width, data };
}

function byWidthThenName(a: Writable, b: Writable): number {
  return b.width - a.width || (a.name < b.name ? -1 : 1);
}

function malformed(what: string, where: string): FormatError {
  return new FormatError(`the safetensors file is malformed: ${what}`, { where });
}
