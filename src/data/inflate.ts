/** @file Decompression with a bound on what comes out, by the platform's own streams. */
import { FormatError, LimitError, type LitheError } from "../errors.ts";

/**
 * Decompresses `bytes` to at most `limit` bytes: a `LimitError` beyond it, a `FormatError` when the stream is damaged.
 * With `prefix` it stops, without error, once `limit` bytes are there.
 */
export async function inflate(
  bytes: Uint8Array,
  format: "gzip" | "deflate-raw",
  limit: number,
  where: string,
  prefix = false,
): Promise<Uint8Array> {
  const stream = new Blob([bytes as Uint8Array<ArrayBuffer>]).stream().pipeThrough(new DecompressionStream(format));
  const reader = stream.getReader();
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      chunks.push(value);
      length += value.byteLength;
      if (length > limit && !prefix) throw tooLong(limit, where);
      if (length >= limit && prefix) break;
    }
  } catch (cause) {
    if (cause instanceof LimitError) throw cause;
    throw new FormatError(`the ${format === "gzip" ? "gzip" : "deflate"} data is damaged`, { where, cause });
  } finally {
    await reader.cancel().catch(() => {});
  }
  const joined = concat(chunks, length);
  return prefix ? joined.subarray(0, limit) : joined;
}

/** One array with all the bytes of `chunks`. */
export function concat(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const result = new Uint8Array(length);
  let offset = 0;
  for (const chunk of chunks) {
    result.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return result;
}

function tooLong(limit: number, where: string): LitheError {
  return new LimitError("the compressed data expands beyond what its header states", {
    expected: `at most ${limit} bytes`,
    where,
  });
}
