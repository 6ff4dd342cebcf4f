/** @file Text files of records, one per line: where each begins and ends, and reading them by position. */
import { DataError, ensure, LimitError } from "../../errors.ts";
import type { ByteSource } from "../bytes.ts";
import { decodeText } from "../json.ts";
import { limits } from "../limits.ts";

/** Byte ranges of the records that are not blank. */
export interface RecordIndex {
  readonly count: number;
  readonly starts: Float64Array;
  /** Without the line end. */
  readonly ends: Float64Array;
}

const blockBytes = 1 << 18;
const [lineFeed, carriageReturn, quote, space, tab] = [0x0a, 0x0d, 0x22, 0x20, 0x09];

/** Finds the records of a file. With `quoted`, line ends between double quotes belong to the record, as in CSV. */
export async function indexRecords(source: ByteSource, quoted: boolean): Promise<RecordIndex> {
  const starts: number[] = [];
  const ends: number[] = [];
  let start = 0;
  let end = 0;
  let blank = true;
  let open = false;
  const finish = () => {
    checkLength(end - start, starts.length, source.name);
    if (!blank) {
      starts.push(start);
      ends.push(end);
    }
    ensure(
      starts.length <= limits.samples,
      () =>
        new LimitError("the file has too many records", { expected: `at most ${limits.samples}`, where: source.name }),
    );
  };
  for (let from = 0; from < source.size; from += blockBytes) {
    const block = await source.read(from, Math.min(blockBytes, source.size - from));
    for (let i = 0; i < block.length; i++) {
      const byte = block[i]!;
      if (quoted && byte === quote) open = !open;
      if (byte === lineFeed && !open) {
        finish();
        start = from + i + 1;
        end = start;
        blank = true;
        continue;
      }
      if (byte === carriageReturn && !open) continue;
      end = from + i + 1;
      if (byte !== space && byte !== tab) blank = false;
    }
    checkLength(from + block.length - start, starts.length, source.name);
  }
  finish();
  ensure(starts.length > 0, () => new DataError("the file holds no records", { where: source.name }));
  return { count: starts.length, starts: Float64Array.from(starts), ends: Float64Array.from(ends) };
}

function checkLength(length: number, record: number, where: string): void {
  ensure(
    length <= limits.lineBytes,
    () =>
      new LimitError("a record is too long", {
        expected: `at most ${limits.lineBytes} bytes`,
        where: `${where}, record ${record}`,
      }),
  );
}

/** Reads records as text; neighbours come from one read. */
export function recordReader(source: ByteSource, { starts, ends }: RecordIndex): (position: number) => Promise<string> {
  let from = 0;
  let block: Uint8Array = new Uint8Array(0);
  return async (position) => {
    const start = starts[position]!;
    const end = ends[position]!;
    if (start < from || end > from + block.byteLength) {
      from = start;
      block = await source.read(start, Math.min(source.size - start, Math.max(blockBytes, end - start)));
    }
    return decodeText(block.subarray(start - from, end - from), `${source.name}, record ${position}`);
  };
}
