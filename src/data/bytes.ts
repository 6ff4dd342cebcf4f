/** @file Bytes that are read by range: a file, an entry of an archive, memory. */
import { ensure, FormatError } from "../errors.ts";

/** A range-readable run of bytes. `name` is for error messages. */
export interface ByteSource {
  readonly name: string;
  readonly size: number;
  /** Exactly `length` bytes from `offset`; a `FormatError` when the source is shorter. */
  read(offset: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

export function memorySource(name: string, bytes: Uint8Array): ByteSource {
  return {
    name,
    size: bytes.byteLength,
    async read(offset, length) {
      checkRange(name, bytes.byteLength, offset, length);
      return bytes.subarray(offset, offset + length);
    },
    async close() {},
  };
}

/** Fails with a `FormatError` unless [offset, offset + length) lies within `size` bytes. */
export function checkRange(name: string, size: number, offset: number, length: number): void {
  ensure(
    Number.isSafeInteger(offset) &&
      Number.isSafeInteger(length) &&
      offset >= 0 &&
      length >= 0 &&
      offset + length <= size,
    () =>
      new FormatError("the data ends early", {
        expected: `${length} bytes from byte ${offset}`,
        got: `${size} bytes in all`,
        where: name,
        hint: "The file is truncated or its header is wrong.",
      }),
  );
}

export function dataView(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** A copy with the bytes of every element of `width` bytes in reverse order. */
export function swapBytes(bytes: Uint8Array, width: number): Uint8Array {
  const result = new Uint8Array(bytes.byteLength);
  for (let start = 0; start < bytes.byteLength; start += width) {
    for (let i = 0; i < width; i++) result[start + i] = bytes[start + width - 1 - i]!;
  }
  return result;
}
