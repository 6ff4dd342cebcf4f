/** @file External data: which parts of which files a model refers to, and the model over the bytes that were read. */
import { FormatError, PathError } from "../errors.ts";
import { byteLength, type ExternalReference, type Model, sizeOf, type Tensor } from "../ir/index.ts";
import { type DecodeOptions, decodeModel } from "./decode.ts";
import { checkLimit, limitsFrom } from "./limits.ts";
import { checkLocation } from "./location.ts";
import { mapTensors } from "./map-tensors.ts";
import { withDenseWeights } from "./sparse-weights.ts";
import { isReference } from "./tensor.ts";

/** One part of a data file; tensors that refer to the same part share it. */
export interface Region {
  readonly offset: number;
  readonly length: number;
  readonly checksum: string | undefined;
  readonly where: string;
}

/** The regions of each file, by location and then by offset and length. */
export type Regions = ReadonlyMap<string, ReadonlyMap<string, Region>>;

/** What the model refers to, before any file is opened. Throws `PathError` for a location that must not be followed. */
export function regionsOf(model: Model): Regions {
  const files = new Map<string, Map<string, Region>>();
  mapTensors(model, (tensor, where) => {
    if (!isReference(tensor.data)) return tensor;
    checkLocation(tensor.data.location, where);
    const regions = files.get(tensor.data.location) ?? new Map<string, Region>();
    files.set(tensor.data.location, regions);
    const { offset, checksum } = tensor.data;
    regions.set(regionKey(tensor.data, tensor), { offset, length: neededLength(tensor), checksum, where });
    return tensor;
  });
  return files;
}

function regionKey({ offset }: ExternalReference, tensor: Tensor): string {
  return `${offset}+${neededLength(tensor)}`;
}

function neededLength({ dtype, dims }: Tensor): number {
  return byteLength(dtype, sizeOf(dims));
}

/** Throws `FormatError` unless the regions lie inside a file of `size` bytes without being read more than once. */
export function checkRegions(location: string, regions: ReadonlyMap<string, Region>, size: number): void {
  let total = 0;
  for (const { offset, length, where } of regions.values()) {
    total += length;
    if (offset + length <= size) continue;
    throw new FormatError("external data ends before the tensor does", {
      expected: `${offset + length} bytes in ${JSON.stringify(location)}`,
      got: `${size} bytes`,
      where,
    });
  }
  if (total <= size) return;
  throw new FormatError("parts of an external data file overlap", {
    expected: `at most the file's ${size} bytes in distinct parts`,
    got: `${total} bytes`,
    where: JSON.stringify(location),
  });
}

/** The bytes that were read for a location, by offset and length. */
export type LoadedRegions = ReadonlyMap<string, ReadonlyMap<string, Uint8Array>>;

/** The model with every reference in place of which bytes were read. */
export function withRegions(model: Model, loaded: LoadedRegions): Model {
  return mapTensors(model, (tensor) => {
    if (!isReference(tensor.data)) return tensor;
    const data = loaded.get(tensor.data.location)?.get(regionKey(tensor.data, tensor));
    return data ? { ...tensor, data } : tensor;
  });
}

/**
 * Reads a model whose external data is at hand: `files` holds the bytes of each data file under its location. Nothing is
 * copied but sparse weights, which are dense as those of `loadModel`.
 *
 * @throws PathError a file that the model refers to is not in `files`
 * @throws FormatError a data file is too short; besides what `decodeModel` throws
 */
export function loadModelBytes(
  bytes: Uint8Array,
  files: ReadonlyMap<string, Uint8Array> = new Map(),
  options: DecodeOptions = {},
): Model {
  const model = decodeModel(bytes, options);
  const limits = limitsFrom(options.limits);
  const loaded = new Map<string, Map<string, Uint8Array>>();
  for (const [location, regions] of regionsOf(model)) {
    const file = files.get(location);
    if (!file) {
      throw new PathError("a file of external data was not given", {
        expected: JSON.stringify(location),
        got: [...files.keys()].map((name) => JSON.stringify(name)).join(", ") || "no files",
      });
    }
    checkLimit(limits, "externalBytes", file.length, JSON.stringify(location));
    checkRegions(location, regions, file.length);
    loaded.set(location, partsOf(file, regions));
  }
  return withDenseWeights(loaded.size === 0 ? model : withRegions(model, loaded), limits);
}

function partsOf(file: Uint8Array, regions: ReadonlyMap<string, Region>): Map<string, Uint8Array> {
  return new Map(
    Array.from(regions, ([key, { offset, length }]) => [key, file.subarray(offset, offset + length)] as const),
  );
}
