/** @file IDX, the format of MNIST: two zero bytes, a type code, the rank, big-endian uint32 dims, big-endian elements. */
import { ensure, FormatError, LimitError } from "../../errors.ts";
import { byteLength, type DataType } from "../../ir/index.ts";
import { type ByteSource, dataView, memorySource } from "../bytes.ts";
import { inflate } from "../inflate.ts";
import { limits } from "../limits.ts";
import { checkDims, once, type StoredArray } from "../stored-array.ts";

const typeCodes: ReadonlyMap<number, DataType> = new Map([
  [0x08, "uint8"],
  [0x09, "int8"],
  [0x0b, "int16"],
  [0x0c, "int32"],
  [0x0d, "float32"],
  [0x0e, "float64"],
] satisfies [number, DataType][]);

export interface IdxHeader {
  readonly dtype: DataType;
  readonly dims: readonly number[];
  /** Of the elements, in bytes. */
  readonly offset: number;
}

const longestHeader = 4 + 4 * 255;

/** Reads the header from the first bytes of a file. */
export function parseIdxHeader(bytes: Uint8Array, where: string): IdxHeader {
  const dtype = bytes[0] === 0 && bytes[1] === 0 ? typeCodes.get(bytes[2] ?? 0) : undefined;
  const rank = bytes[3] ?? 0;
  const offset = 4 + 4 * rank;
  if (dtype === undefined || rank === 0 || bytes.byteLength < offset) {
    throw new FormatError("this is no IDX file", {
      expected: "two zero bytes, a type code from 0x08 to 0x0e, a rank and its dims",
      got: [...bytes.subarray(0, 4)].map((byte) => byte.toString(16).padStart(2, "0")).join(" ") || "no bytes",
      where,
    });
  }
  const view = dataView(bytes);
  const dims = Array.from({ length: rank }, (_, i) => view.getUint32(4 + 4 * i));
  checkDims(dims, where);
  return { dtype, dims, offset };
}

/** An IDX file, plain or gzip, as an array. Gzip is decompressed into memory, at most as long as its header states. */
export async function idxArray(open: () => Promise<ByteSource>): Promise<StoredArray> {
  const file = await open();
  try {
    const start = await file.read(0, Math.min(file.size, 4));
    return start[0] === 0x1f && start[1] === 0x8b ? await compressedArray(file) : await plainArray(file, open);
  } finally {
    await file.close();
  }
}

async function plainArray(file: ByteSource, open: () => Promise<ByteSource>): Promise<StoredArray> {
  const header = parseIdxHeader(await file.read(0, Math.min(file.size, longestHeader)), file.name);
  checkLength(header, file.size, file.name);
  return { ...header, name: file.name, bigEndian: true, open };
}

async function compressedArray(file: ByteSource): Promise<StoredArray> {
  ensure(file.size <= limits.memory, () => new LimitError("the gzip file is too large", { where: file.name }));
  const bytes = await file.read(0, file.size);
  const header = parseIdxHeader(await inflate(bytes, "gzip", longestHeader, file.name, true), file.name);
  const length =
    header.offset +
    byteLength(
      header.dtype,
      header.dims.reduce((total, dim) => total * dim, 1),
    );
  ensure(
    length <= limits.memory,
    () => new LimitError("the array is too large to be decompressed", { where: file.name }),
  );
  const whole = once(async () => {
    const plain = await inflate(bytes, "gzip", length, file.name);
    checkLength(header, plain.byteLength, file.name);
    return plain;
  });
  return { ...header, name: file.name, bigEndian: true, open: async () => memorySource(file.name, await whole()) };
}

function checkLength({ dtype, dims, offset }: IdxHeader, size: number, where: string): void {
  const expected =
    offset +
    byteLength(
      dtype,
      dims.reduce((total, dim) => total * dim, 1),
    );
  ensure(
    size === expected,
    () =>
      new FormatError("an IDX file's length contradicts its header", {
        expected: `${expected} bytes`,
        got: `${size} bytes`,
        where,
      }),
  );
}

/** The usual names of the labels of an images file, best first: `train-images-idx3-ubyte.gz` → `train-labels-idx1-ubyte.gz`. */
export function idxLabelNames(images: string): readonly string[] {
  if (!/images/i.test(images)) return [];
  const labels = images.replace(/images/i, (word) => (word === "images" ? "labels" : "Labels"));
  const names = [labels.replace(/idx\d/i, "idx1"), labels];
  const other = names.map((name) => (name.endsWith(".gz") ? name.slice(0, -3) : `${name}.gz`));
  return [...new Set([...names, ...other])];
}
