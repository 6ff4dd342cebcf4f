/** @file NumPy's .npy: magic, version, a header that is a Python dict literal, then raw elements. Pickles are refused. */
import { nth } from "../../checked.ts";
import { ensure, FormatError, UnsupportedError } from "../../errors.ts";
import { byteLength, bytesOfTensor, type DataType, sizeOf, type Tensor } from "../../ir/index.ts";
import { type ByteSource, dataView, memorySource } from "../bytes.ts";
import { concat } from "../inflate.ts";
import { checkDims, once, readArray, type StoredArray } from "../stored-array.ts";

/** NumPy's type codes without the byte order. */
const typeCodes: ReadonlyMap<string, DataType> = new Map([
  ["f2", "float16"],
  ["f4", "float32"],
  ["f8", "float64"],
  ["i1", "int8"],
  ["i2", "int16"],
  ["i4", "int32"],
  ["i8", "int64"],
  ["u1", "uint8"],
  ["u2", "uint16"],
  ["u4", "uint32"],
  ["u8", "uint64"],
  ["b1", "bool"],
  ["c8", "complex64"],
  ["c16", "complex128"],
] satisfies [string, DataType][]);

const magic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
const longestHeader = 65536;

export interface NpyHeader {
  readonly dtype: DataType;
  readonly dims: readonly number[];
  readonly bigEndian: boolean;
  /** Column-major: the first axis varies fastest. */
  readonly fortranOrder: boolean;
  /** Of the first element, in bytes. */
  readonly offset: number;
}

/** Reads the header from the first bytes of a file. */
export function parseNpyHeader(bytes: Uint8Array, where: string): NpyHeader {
  ensure(
    bytes.byteLength >= 10 && magic.every((byte, i) => bytes[i] === byte),
    () => new FormatError("this is no npy file", { expected: "the signature \\x93NUMPY", where }),
  );
  const version = bytes[6]!;
  ensure(
    version >= 1 && version <= 3 && (version === 1 || bytes.byteLength >= 12),
    () => new FormatError("the npy version is unknown", { expected: "1, 2 or 3", got: `${version}`, where }),
  );
  const start = version === 1 ? 10 : 12;
  const length = version === 1 ? dataView(bytes).getUint16(8, true) : dataView(bytes).getUint32(8, true);
  ensure(
    length <= longestHeader && start + length <= bytes.byteLength,
    () => new FormatError("the npy header ends early or is too long", { got: `${length} bytes`, where }),
  );
  const text = new TextDecoder("latin1").decode(bytes.subarray(start, start + length));
  return { ...parseDict(text, where), offset: start + length };
}

/** The header's dict has exactly these keys, in any order; NumPy writes them sorted. */
function parseDict(text: string, where: string): Omit<NpyHeader, "offset"> {
  const malformed = () =>
    new FormatError("the npy header is malformed", { got: JSON.stringify(text.slice(0, 120)), where });
  const body = /^\s*\{(.*)\}\s*$/s.exec(text)?.[1];
  ensure(body !== undefined, malformed);
  const fields = new Map<string, string>();
  const field = /\s*'(descr|fortran_order|shape)'\s*:\s*('[^']*'|True|False|\([\d\s,L]*\)|\[.*?\])\s*(?:,|$)/sy;
  let end = 0;
  for (let match = field.exec(body); match; match = field.exec(body)) {
    ensure(!fields.has(match[1]!), malformed);
    fields.set(match[1]!, match[2]!);
    end = field.lastIndex;
  }
  const [descr, order, shape] = ["descr", "fortran_order", "shape"].map((key) => fields.get(key));
  ensure(
    descr && shape?.startsWith("(") && /^(True|False)$/.test(order ?? "") && body.slice(end).trim() === "",
    malformed,
  );
  const dims = [...shape!.matchAll(/\d+/g)].map(([digits]) => Number(digits));
  checkDims(dims, where);
  return { ...parseDescr(descr, where), fortranOrder: order === "True", dims };
}

function parseDescr(descr: string, where: string): { dtype: DataType; bigEndian: boolean } {
  const match = /^'([<>|=])?([a-zA-Z]\d*)'$/.exec(descr);
  const dtype = match ? typeCodes.get(match[2]!) : undefined;
  if (match && dtype && !(match[1] === ">" && match[2]!.startsWith("c"))) return { dtype, bigEndian: match[1] === ">" };
  throw new UnsupportedError("the array's dtype is not one of numbers", {
    expected: [...typeCodes.keys()].join(", "),
    got: descr.slice(0, 60),
    where,
    hint: descr.includes("O")
      ? "Object arrays are pickles, which can run code; save plain arrays."
      : "Convert it with astype.",
  });
}

/** An npy file as an array. One in column-major order is read whole and reordered when it is opened. */
export async function npyArray(open: () => Promise<ByteSource>, name?: string): Promise<StoredArray> {
  const source = await open();
  try {
    const where = name ?? source.name;
    const header = parseNpyHeader(await source.read(0, Math.min(source.size, longestHeader + 12)), where);
    const expected = header.offset + byteLength(header.dtype, sizeOf(header.dims));
    ensure(
      source.size === expected,
      () =>
        new FormatError("an npy file's length contradicts its header", {
          expected: `${expected} bytes`,
          got: `${source.size} bytes`,
          where,
        }),
    );
    const { dtype, dims, bigEndian, offset } = header;
    const array: StoredArray = { name: where, dtype, dims, bigEndian, offset, open };
    return header.fortranOrder && dims.length > 1 ? rowMajor(array) : array;
  } finally {
    await source.close();
  }
}

function rowMajor(array: StoredArray): StoredArray {
  const reordered = once(async () => bytesOfTensor(toRowMajor(await readArray(array))));
  return { ...array, bigEndian: false, offset: 0, open: async () => memorySource(array.name, await reordered()) };
}

function toRowMajor({ dtype, dims, data }: Tensor): Tensor {
  const source = data as Uint8Array;
  const width = byteLength(dtype, 1);
  const result = new Uint8Array(source.byteLength);
  const index = new Array<number>(dims.length).fill(0);
  const strides = dims.map((_, axis) => dims.slice(0, axis).reduce((total, dim) => total * dim, 1));
  for (let out = 0; out < result.byteLength; out += width) {
    const from = index.reduce((sum, i, axis) => sum + i * nth(strides, axis), 0) * width;
    for (let b = 0; b < width; b++) result[out + b] = source[from + b]!;
    for (let axis = dims.length - 1; axis >= 0 && ++index[axis]! === dims[axis]; axis--) index[axis] = 0;
  }
  return { dtype, dims, data: result };
}

/** The array of an npy file that is in memory, in row-major order. */
export async function readNpy(bytes: Uint8Array, where = "npy"): Promise<Tensor> {
  return readArray(await npyArray(async () => memorySource(where, bytes)));
}

/** A tensor as an npy file of version 1.0, data aligned to 64 bytes as NumPy writes it. */
export function encodeNpy(value: Tensor): Uint8Array {
  const code = [...typeCodes].find(([, dtype]) => dtype === value.dtype)?.[0];
  if (!code) throw new UnsupportedError(`npy has no type for ${value.dtype}`);
  const order = byteLength(value.dtype, 1) === 1 ? "|" : "<";
  const shape = value.dims.length === 1 ? `(${value.dims[0]},)` : `(${value.dims.join(", ")})`;
  const dict = `{'descr': '${order}${code}', 'fortran_order': False, 'shape': ${shape}, }`;
  const padded = `${dict.padEnd(Math.ceil((10 + dict.length + 1) / 64) * 64 - 11)}\n`;
  const header = new Uint8Array(10 + padded.length);
  header.set([...magic, 1, 0]);
  dataView(header).setUint16(8, padded.length, true);
  header.set(new TextEncoder().encode(padded), 10);
  const data = bytesOfTensor(value);
  return concat([header, data], header.byteLength + data.byteLength);
}
