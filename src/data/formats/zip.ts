/**
 * @file Reading entries of zip archives through the central directory (PKWARE APPNOTE 6.3), zip64 included. Entries are
 * only read into memory, never written to disk; overlapping entries, encryption, links to other disks and methods other
 * than stored and deflated are refused.
 */

import { atLeast } from "../../checked.ts";
import { ensure, FormatError, LimitError, UnsupportedError } from "../../errors.ts";
import { exactNumber } from "../../ir/index.ts";
import { type ByteSource, dataView, memorySource } from "../bytes.ts";
import { inflate } from "../inflate.ts";
import { limits } from "../limits.ts";
import { once } from "../stored-array.ts";

export interface ZipEntry {
  readonly name: string;
  readonly size: number;
  readonly compressedSize: number;
  readonly deflated: boolean;
  readonly crc: number;
  /** Of the local header, in bytes. */
  readonly offset: number;
}

const endSignature = 0x06054b50;
const end64Signature = 0x06064b50;
const locatorSignature = 0x07064b50;
const directorySignature = 0x02014b50;
const localSignature = 0x04034b50;
const endLength = 22;
const longestComment = 65535;

/** The entries of an archive, in the order of its directory. */
export async function zipEntries(source: ByteSource): Promise<readonly ZipEntry[]> {
  const { count, size, offset } = await findDirectory(source);
  ensure(
    count <= limits.zipEntries && size <= limits.textBytes,
    () =>
      new LimitError("the archive has too many entries", {
        expected: `at most ${limits.zipEntries}`,
        got: `${count}`,
        where: source.name,
      }),
  );
  const directory = await source.read(offset, size);
  const entries: ZipEntry[] = [];
  let at = 0;
  for (let i = 0; i < count; i++) {
    const [entry, next] = readEntry(directory, at, `${source.name}, entry ${i}`);
    entries.push(entry);
    at = next;
  }
  checkDisjoint(entries, offset, source.name);
  return entries;
}

interface Directory {
  readonly count: number;
  readonly size: number;
  readonly offset: number;
}

async function findDirectory(source: ByteSource): Promise<Directory> {
  const length = Math.min(source.size, endLength + longestComment);
  const tail = await source.read(source.size - length, length);
  const view = dataView(tail);
  for (let at = length - endLength; at >= 0; at--) {
    if (view.getUint32(at, true) !== endSignature) continue;
    if (at + endLength + view.getUint16(at + 20, true) !== length) continue;
    ensure(
      view.getUint16(at + 4, true) === 0,
      () => new UnsupportedError("the archive spans several files", { where: source.name }),
    );
    const [count, size, offset] = [
      view.getUint16(at + 10, true),
      view.getUint32(at + 12, true),
      view.getUint32(at + 16, true),
    ];
    if (count !== 0xffff && size !== 0xffffffff && offset !== 0xffffffff) return { count, size, offset };
    return readDirectory64(source, source.size - length + at);
  }
  throw new FormatError("this is no zip archive, or it ends early", { where: source.name });
}

async function readDirectory64(source: ByteSource, end: number): Promise<Directory> {
  const locator = dataView(await source.read(end - 20, 20));
  ensure(locator.getUint32(0, true) === locatorSignature, () => damaged("its zip64 locator is missing", source.name));
  const record = dataView(await source.read(safeInteger(locator.getBigUint64(8, true), source.name), 56));
  ensure(record.getUint32(0, true) === end64Signature, () => damaged("its zip64 record is missing", source.name));
  const [count, size, offset] = atLeast(
    [32, 40, 48].map((at) => safeInteger(record.getBigUint64(at, true), source.name)),
    3,
  );
  return { count: count, size: size, offset: offset };
}

function readEntry(directory: Uint8Array, at: number, where: string): [ZipEntry, number] {
  const view = dataView(directory);
  const fits = at + 46 <= directory.byteLength && view.getUint32(at, true) === directorySignature;
  ensure(fits, () => damaged("its directory ends early", where));
  const [nameLength, extraLength, commentLength] = atLeast(
    [28, 30, 32].map((field) => view.getUint16(at + field, true)),
    3,
  );
  const next = at + 46 + nameLength + extraLength + commentLength;
  ensure(next <= directory.byteLength, () => damaged("its directory ends early", where));
  const flags = view.getUint16(at + 8, true);
  const method = view.getUint16(at + 10, true);
  ensure((flags & 1) === 0, () => new UnsupportedError("the archive is encrypted", { where }));
  ensure(
    method === 0 || method === 8,
    () =>
      new UnsupportedError("the archive's compression is unknown", {
        expected: "stored or deflated",
        got: `method ${method}`,
        where,
      }),
  );
  const nameBytes = directory.subarray(at + 46, at + 46 + nameLength);
  const extra = directory.subarray(at + 46 + nameLength, at + 46 + nameLength + extraLength);
  const [size, compressedSize, offset] = wideFields(
    [view.getUint32(at + 24, true), view.getUint32(at + 20, true), view.getUint32(at + 42, true)],
    extra,
    where,
  );
  const name = new TextDecoder().decode(nameBytes);
  const crc = view.getUint32(at + 16, true);
  return [{ name, size, compressedSize, deflated: method === 8, crc, offset }, next];
}

/** Fields of 0xffffffff stand in the zip64 extra field (id 1), in this order. */
function wideFields(
  fields: readonly [number, number, number],
  extra: Uint8Array,
  where: string,
): [number, number, number] {
  if (!fields.includes(0xffffffff)) return [...fields];
  const view = dataView(extra);
  for (let at = 0; at + 4 <= extra.byteLength; at += 4 + view.getUint16(at + 2, true)) {
    if (view.getUint16(at, true) !== 1) continue;
    let from = at + 4;
    return fields.map((field) => {
      if (field !== 0xffffffff) return field;
      ensure(from + 8 <= extra.byteLength, () => damaged("its zip64 field ends early", where));
      from += 8;
      return safeInteger(view.getBigUint64(from - 8, true), where);
    }) as [number, number, number];
  }
  throw damaged("its zip64 field is missing", where);
}

/** Entries that share bytes are the mark of a decompression bomb. */
function checkDisjoint(entries: readonly ZipEntry[], directory: number, where: string): void {
  const sorted = [...entries].sort((a, b) => a.offset - b.offset);
  for (const [i, { name, offset, compressedSize }] of sorted.entries()) {
    const end = sorted[i + 1]?.offset ?? directory;
    ensure(offset + 30 + compressedSize <= end, () =>
      damaged(`its entry ${JSON.stringify(name)} overlaps another`, where),
    );
  }
}

/** An entry's bytes as a source: a stored entry by range, a deflated one from memory, inflated at its first opening. */
export function zipEntrySource(open: () => Promise<ByteSource>, entry: ZipEntry): () => Promise<ByteSource> {
  if (entry.deflated) {
    const whole = once(() => inflateEntry(open, entry));
    return async () => memorySource(entry.name, await whole());
  }
  return async () => {
    const source = await open();
    const start = await dataOffset(source, entry);
    ensure(entry.size === entry.compressedSize, () =>
      damaged("a stored entry has two sizes", `${source.name}, ${entry.name}`),
    );
    return {
      name: `${source.name}, ${entry.name}`,
      size: entry.size,
      async read(offset, length) {
        ensure(offset + length <= entry.size, () => damaged("an entry ends early", `${source.name}, ${entry.name}`));
        return source.read(start + offset, length);
      },
      close: () => source.close(),
    };
  };
}

async function inflateEntry(open: () => Promise<ByteSource>, entry: ZipEntry): Promise<Uint8Array> {
  const where = JSON.stringify(entry.name);
  ensure(
    entry.size <= limits.memory && entry.compressedSize <= limits.memory,
    () =>
      new LimitError("a compressed entry is too large", {
        expected: `at most ${limits.memory} bytes`,
        got: `${entry.size}`,
        where,
      }),
  );
  const source = await open();
  try {
    const bytes = await source.read(await dataOffset(source, entry), entry.compressedSize);
    const plain = await inflate(bytes, "deflate-raw", entry.size, where);
    ensure(plain.byteLength === entry.size, () => damaged("an entry is shorter than stated", where));
    ensure(crc32(plain) === entry.crc, () => damaged("an entry's checksum is wrong", where));
    return plain;
  } finally {
    await source.close();
  }
}

async function dataOffset(source: ByteSource, entry: ZipEntry): Promise<number> {
  const header = dataView(await source.read(entry.offset, 30));
  ensure(header.getUint32(0, true) === localSignature, () =>
    damaged("an entry's header is missing", `${source.name}, ${entry.name}`),
  );
  return entry.offset + 30 + header.getUint16(26, true) + header.getUint16(28, true);
}

const crcTable = new Uint32Array(256).map((_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

/** The checksum of zip and PNG (IEEE 802.3). */
export function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (let i = 0; i < bytes.length; i++) crc = crcTable[(crc ^ bytes[i]!) & 0xff]! ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

function safeInteger(value: bigint, where: string): number {
  ensure(value <= Number.MAX_SAFE_INTEGER, () => damaged("a size is beyond 2^53", where));
  return exactNumber(value);
}

function damaged(what: string, where: string): FormatError {
  return new FormatError(`the zip archive is damaged: ${what}`, { where });
}
