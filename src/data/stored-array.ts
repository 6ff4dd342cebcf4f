/** @file Arrays that lie in a byte source with the samples along their first axis, and datasets made of them. */
import { must, nth } from "../checked.ts";
import { DataError, ensure, FormatError, LimitError } from "../errors.ts";
import { byteLength, type DataType, numbersOf, type Tensor } from "../ir/index.ts";
import { adaptTensor } from "./adapt.ts";
import { type ByteSource, swapBytes } from "./bytes.ts";
import { type Dataset, datasetOf, type InputPort, type Reader, type Sample, type Source } from "./dataset.ts";
import { type Image, interleave } from "./image.ts";
import type { ImageSample } from "./image-dataset.ts";
import { limits } from "./limits.ts";

/** An array of numbers in row-major order. */
export interface StoredArray {
  /** For error messages: the file, and the entry when it has several. */
  readonly name: string;
  readonly dtype: DataType;
  readonly dims: readonly number[];
  /** Of the first element, in bytes. */
  readonly offset: number;
  readonly bigEndian: boolean;
  open(): Promise<ByteSource>;
}

/** Fails with a `LimitError` or `FormatError` unless `dims` describe an array of sane size. */
export function checkDims(dims: readonly number[], where: string): void {
  ensure(
    dims.length <= limits.rank,
    () =>
      new LimitError("an array has too many axes", {
        expected: `at most ${limits.rank}`,
        got: `${dims.length}`,
        where,
      }),
  );
  let count = 1;
  for (const dim of dims) {
    ensure(
      Number.isSafeInteger(dim) && dim >= 0,
      () => new FormatError("a dim is not a size", { got: `${dim}`, where }),
    );
    count *= dim;
    ensure(
      count <= limits.elements,
      () => new LimitError("an array has too many elements", { expected: `at most ${limits.elements}`, where }),
    );
  }
}

/** Element `position` along the first axis. */
async function readItem(array: StoredArray, bytes: ByteSource, position: number): Promise<Uint8Array> {
  const dims = array.dims.slice(1);
  const length = byteLength(array.dtype, product(dims));
  const item = await bytes.read(array.offset + position * length, length);
  const width = byteLength(array.dtype, 1);
  return array.bigEndian && width > 1 ? swapBytes(item, width) : item;
}

/** All elements as one tensor; at most `limits.memory` bytes. */
export async function readArray(array: StoredArray): Promise<Tensor> {
  const length = byteLength(array.dtype, product(array.dims));
  ensure(
    length <= limits.memory,
    () =>
      new LimitError("an array is too large to be read whole", {
        expected: `at most ${limits.memory} bytes`,
        got: `${length} bytes`,
        where: array.name,
      }),
  );
  const bytes = await array.open();
  try {
    const data = await bytes.read(array.offset, length);
    const width = byteLength(array.dtype, 1);
    return { dtype: array.dtype, dims: array.dims, data: array.bigEndian && width > 1 ? swapBytes(data, width) : data };
  } finally {
    await bytes.close();
  }
}

/** Gives the labels of `size` samples, or fails with a `DataError` when there are not as many. */
export type LabelSource = (size: number) => Promise<Float64Array>;

/** Labels that are the values of an array [N] or [N, 1]. */
export function labelsOf(array: StoredArray): LabelSource {
  return async (size) => {
    ensure(
      array.dims[0] === size && product(array.dims) === size,
      () =>
        new DataError("the labels do not fit the samples", {
          expected: `${size} labels`,
          got: `an array [${array.dims.join(", ")}]`,
          where: array.name,
        }),
    );
    return numbersOf(await readArray(array));
  };
}

export interface NamedArrays {
  readonly name: string;
  readonly arrays: ReadonlyMap<string, StoredArray>;
  readonly labels?: LabelSource;
  readonly ports?: readonly InputPort[];
}

/** One sample per index of the first axis, which all arrays share; inputs are named by their keys. */
export function arrayDataset({ name, arrays, labels, ports }: NamedArrays): Dataset {
  const size = commonSize(name, arrays);
  const inputs = namedForPorts(name, arrays, ports);
  const readAllLabels = labels && once(() => labels(size));
  return datasetOf({
    size,
    ...(readAllLabels && { labels: readAllLabels }),
    async open() {
      const all = await readAllLabels?.();
      return tensorReader(name, inputs, ports, all);
    },
  });
}

async function tensorReader(
  name: string,
  inputs: ReadonlyMap<string, StoredArray>,
  ports: readonly InputPort[] | undefined,
  labels: Float64Array | undefined,
): Promise<Reader<Sample>> {
  const opened = new Map<string, ByteSource>();
  const close = async () => {
    for (const bytes of opened.values()) await bytes.close();
  };
  try {
    for (const [key, array] of inputs) opened.set(key, await array.open());
  } catch (error) {
    await close();
    throw error;
  }
  return {
    async read(position) {
      const values = new Map<string, Tensor>();
      for (const [key, array] of inputs) {
        const data = await readItem(array, must(opened, key), position);
        const port = ports?.find((candidate) => candidate.name === key);
        values.set(key, adaptTensor({ dtype: array.dtype, dims: array.dims.slice(1), data }, port, array.name));
      }
      return { inputs: values, ...(labels && { label: labels[position]! }), source: `${name}#${position}` };
    },
    close,
  };
}

function commonSize(name: string, arrays: ReadonlyMap<string, StoredArray>): number {
  ensure(arrays.size > 0, () => new DataError("there is no array of samples", { where: name }));
  let size: number | undefined;
  for (const [key, { dims }] of arrays) {
    const first = dims[0];
    if (first === undefined) {
      throw new DataError("an array has no axis of samples", {
        got: "a scalar",
        where: `${name}, ${JSON.stringify(key)}`,
      });
    }
    if (size !== undefined && first !== size) {
      throw new DataError("the arrays have different numbers of samples", {
        expected: `${size} along the first axis`,
        got: `${first}`,
        where: `${name}, ${JSON.stringify(key)}`,
      });
    }
    size = first;
  }
  return size!;
}

/** A single array takes the name of a single input; several must be named as the inputs are. */
function namedForPorts(
  name: string,
  arrays: ReadonlyMap<string, StoredArray>,
  ports: readonly InputPort[] | undefined,
): ReadonlyMap<string, StoredArray> {
  if (!ports) return arrays;
  if (ports.length === 1 && arrays.size === 1) return new Map([[nth(ports, 0).name, nth([...arrays.values()], 0)]]);
  for (const port of ports) {
    if (arrays.has(port.name)) continue;
    throw new DataError("the data lacks one of the model's inputs", {
      expected: JSON.stringify(port.name),
      got: [...arrays.keys()].map((key) => JSON.stringify(key)).join(", "),
      where: name,
    });
  }
  return new Map(ports.map((port) => [port.name, must(arrays, port.name)]));
}

/** 8-bit arrays [N, H, W], [N, H, W, C] and [N, C, H, W] as images; `undefined` for any other array. */
export function arrayImages(array: StoredArray, labels?: LabelSource): Source<ImageSample> | undefined {
  const layout = imageLayout(array);
  const size = array.dims[0];
  if (!layout || size === undefined) return undefined;
  const readAllLabels = labels && once(() => labels(size));
  return {
    size,
    ...(readAllLabels && { labels: readAllLabels }),
    async open() {
      const all = await readAllLabels?.();
      const bytes = await array.open();
      return {
        async read(position) {
          const pixels = await readItem(array, bytes, position);
          const image: Image = { ...layout, pixels: layout.planar ? interleave(pixels, layout.channels) : pixels };
          return { image, ...(all && { label: all[position]! }), source: `${array.name}#${position}` };
        },
        close: () => bytes.close(),
      };
    },
  };
}

interface ImageLayout {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  readonly planar: boolean;
}

function imageLayout({ dtype, dims: [, a, b, c], dims }: StoredArray): ImageLayout | undefined {
  if (dtype !== "uint8" || a === undefined || b === undefined) return undefined;
  if (dims.length === 3) return { width: b, height: a, channels: 1, planar: false };
  if (dims.length !== 4 || c === undefined) return undefined;
  if (c === 1 || c === 3) return { width: b, height: a, channels: c, planar: false };
  if (a === 1 || a === 3) return { width: c, height: b, channels: a, planar: true };
  return undefined;
}

function product(dims: readonly number[]): number {
  return dims.reduce((total, dim) => total * dim, 1);
}

/** Runs `produce` at the first call and hands out its result ever after; a failure is not kept. */
export function once<T>(produce: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined;
  return () => {
    result ??= produce().catch((error: unknown) => {
      result = undefined;
      throw error;
    });
    return result;
  };
}
