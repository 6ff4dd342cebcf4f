/** @file CIFAR's binary layout: per record one label byte, then 3,072 bytes of R, G and B planes of 32×32, row by row. */
import { ensure, FormatError, ShapeError } from "../../errors.ts";
import type { ByteSource } from "../bytes.ts";
import type { Source } from "../dataset.ts";
import { type Image, interleave } from "../image.ts";
import type { ImageSample } from "../image-dataset.ts";

const side = 32;
const pixelBytes = 3 * side * side;
export const cifarRecordBytes = 1 + pixelBytes;

/** The records of a file in CIFAR-10's layout. A label without a name in `classes` is a `FormatError`. */
export function cifarImages(
  name: string,
  fileSize: number,
  open: () => Promise<ByteSource>,
  classes?: readonly string[],
): Source<ImageSample> {
  const size = recordCount(name, fileSize);
  const classCount = classes?.length ?? 10;
  return {
    size,
    ...(classes && { classes }),
    async open() {
      const bytes = await open();
      return { read: (position) => readRecord(bytes, position, classCount), close: () => bytes.close() };
    },
    labels: () => readLabels(open, size, classCount),
  };
}

/** One record: the label and the planes of a 32×32 colour image. */
export function cifarRecord(label: number, { width, height, channels, pixels }: Image): Uint8Array {
  if (width !== side || height !== side || channels !== 3 || !Number.isInteger(label) || label < 0 || label > 255) {
    throw new ShapeError("a CIFAR record holds a label and a 32×32 colour image", {
      expected: `a label from 0 to 255 and ${side}×${side}×3`,
      got: `label ${label} and ${width}×${height}×${channels}`,
    });
  }
  const record = new Uint8Array(cifarRecordBytes);
  record[0] = label;
  for (let i = 0; i < pixelBytes; i++) record[1 + (i % 3) * side * side + Math.floor(i / 3)] = pixels[i]!;
  return record;
}

function recordCount(name: string, fileSize: number): number {
  ensure(
    fileSize > 0 && fileSize % cifarRecordBytes === 0,
    () =>
      new FormatError("a CIFAR file is a whole number of records", {
        expected: `a multiple of ${cifarRecordBytes} bytes`,
        got: `${fileSize} bytes`,
        where: name,
      }),
  );
  return fileSize / cifarRecordBytes;
}

async function readRecord(bytes: ByteSource, position: number, classCount: number): Promise<ImageSample> {
  const record = await bytes.read(position * cifarRecordBytes, cifarRecordBytes);
  const label = checkedLabel(record[0]!, position, classCount, bytes.name);
  const pixels = interleave(record.subarray(1), 3);
  return { image: { width: side, height: side, channels: 3, pixels }, label, source: `${bytes.name}#${position}` };
}

async function readLabels(open: () => Promise<ByteSource>, size: number, classCount: number): Promise<Uint8Array> {
  const recordsPerRead = 256;
  const bytes = await open();
  const labels = new Uint8Array(size);
  try {
    for (let first = 0; first < size; first += recordsPerRead) {
      const count = Math.min(recordsPerRead, size - first);
      const block = await bytes.read(first * cifarRecordBytes, count * cifarRecordBytes);
      for (let i = 0; i < count; i++) {
        labels[first + i] = checkedLabel(block[i * cifarRecordBytes]!, first + i, classCount, bytes.name);
      }
    }
  } finally {
    await bytes.close();
  }
  return labels;
}

function checkedLabel(label: number, position: number, classCount: number, name: string): number {
  ensure(
    label < classCount,
    () =>
      new FormatError("a record's label names no class", {
        expected: `0 to ${classCount - 1}`,
        got: `${label}`,
        where: `${name}, record ${position}`,
      }),
  );
  return label;
}
