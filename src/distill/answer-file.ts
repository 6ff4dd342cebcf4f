/** @file Rows of numbers on disk: written part by part, read row by row, so that neither holds more than a part in memory. Node only. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { writeAtomically } from "../atomic-file.ts";
import { DataError, FormatError } from "../errors.ts";
import { type FileHandle, fileError, lookAt, openRegular } from "../file-system.ts";

/** Of the inputs of a sample, which says whether it still is the one that was answered. */
const DIGEST = 8;

/** Bytes of a part. */
const PART = 2 ** 25;

/** Where the rows of a file stand: fixed lengths, the digests of a part before its rows. */
export interface RowLayout {
  /** A folder, and the beginning of the names of its files. */
  readonly folder: string;
  readonly name: string;
  /** Rows of all, and bytes of each. */
  readonly rows: number;
  readonly bytes: number;
}

export interface Row {
  readonly digest: Uint8Array;
  readonly data: Uint8Array;
}

export function digestOf(parts: Iterable<Uint8Array>): Uint8Array {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest().subarray(0, DIGEST);
}

export function rowsPerPart({ bytes }: Pick<RowLayout, "bytes">): number {
  return Math.max(1, Math.floor(PART / (bytes + DIGEST)));
}

/** How many of the parts stand there, from the first on. What an interrupted writer left out is written again. */
export async function partsDone(layout: RowLayout): Promise<number> {
  const parts = Math.ceil(layout.rows / rowsPerPart(layout));
  for (let part = 0; part < parts; part++) {
    const stats = await lookAt(pathOf(layout, part));
    if (stats?.size !== lengthOf(layout, part) * (layout.bytes + DIGEST)) return part;
  }
  return parts;
}

/** Writes the rows of one part, in order. */
export async function writePart(layout: RowLayout, part: number, rows: readonly Row[]): Promise<void> {
  const contents = new Uint8Array(rows.length * (layout.bytes + DIGEST));
  for (const [i, { digest, data }] of rows.entries()) {
    contents.set(digest, i * DIGEST);
    contents.set(data, rows.length * DIGEST + i * layout.bytes);
  }
  await writeAtomically(pathOf(layout, part), contents);
}

export interface RowReader {
  read(row: number): Promise<Row>;
  close(): Promise<void>;
}

/** Opens the parts as they are needed. */
export function readRows(layout: RowLayout): RowReader {
  const open = new Map<number, Promise<FileHandle>>();
  const perPart = rowsPerPart(layout);
  const handleOf = (part: number): Promise<FileHandle> => {
    const known = open.get(part) ?? openRegular(pathOf(layout, part)).then(({ file }) => file);
    open.set(part, known);
    return known;
  };
  return {
    async read(row) {
      const part = Math.floor(row / perPart);
      const [at, length] = [row % perPart, lengthOf(layout, part)];
      const path = pathOf(layout, part);
      const file = await handleOf(part);
      const digest = await bytesAt(file, at * DIGEST, DIGEST, path);
      return { digest, data: await bytesAt(file, length * DIGEST + at * layout.bytes, layout.bytes, path) };
    },
    async close() {
      for (const file of open.values()) await (await file).close();
    },
  };
}

/** @throws DataError where the inputs are others than those that were answered */
export function checkDigest(known: Uint8Array, sample: Uint8Array, source: string): void {
  if (known.every((byte, i) => byte === sample[i])) return;
  throw new DataError("the teacher's kept answer is for another sample", {
    expected: "the inputs that were answered",
    got: "others at this place",
    where: source,
    hint: "Keep no answers for data that changes while it is read, or remove the folder of the answers.",
  });
}

function lengthOf({ rows, bytes }: RowLayout, part: number): number {
  const perPart = rowsPerPart({ bytes });
  return Math.min(perPart, rows - part * perPart);
}

function pathOf({ folder, name }: RowLayout, part: number): string {
  return join(folder, `${name}-${part}.bin`);
}

async function bytesAt(file: FileHandle, offset: number, length: number, path: string): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await file.read(bytes, done, length - done, offset + done).catch((cause: unknown) => {
      throw fileError("read the file", path, cause);
    });
    if (bytesRead === 0) throw new FormatError("a file of kept answers ends early", { where: path });
    done += bytesRead;
  }
  return bytes;
}
