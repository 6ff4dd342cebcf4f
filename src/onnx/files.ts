/** @file Models in files: reading with their external data, writing so that nothing is ever half-written. Node only. */
import { createHash } from "node:crypto";
import { basename, dirname, join } from "node:path";
import { createOrElse, replaceable, writeAtomically } from "../atomic-file.ts";
import { FormatError, InvalidModelError } from "../errors.ts";
import { type FileHandle, fileError, lookAt, namesIn, openRegular, realPath, remove } from "../file-system.ts";
import type { ExternalReference, Model, Tensor } from "../ir/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import { openContained } from "./contained-file.ts";
import { setOrigin } from "./data-origin.ts";
import { type DecodeOptions, decodeModel } from "./decode.ts";
import { checkFileSize, encodeModelChunks, MAX_FILE_BYTES, totalLength } from "./encode.ts";
import { checkRegions, type Region, regionsOf, withRegions } from "./external.ts";
import { foreignFile } from "./foreign-file.ts";
import { checkLimit, type Limits, limitsFrom } from "./limits.ts";
import { mapTensors } from "./map-tensors.ts";
import { asStored, withDenseWeights } from "./sparse-weights.ts";
import { isReference } from "./tensor.ts";

const decodeOptionsNames: OptionNames<DecodeOptions> = { limits: true };

/**
 * Reads a model and its external data. Data files must lie in the model's folder as regular files without links. Sparse weights are
 * dense, where everything finds them, and sparse again when the model is written, where that is smaller.
 *
 * @throws PathError a file is missing or must not be read
 * @throws FormatError a file is too short, or its checksum differs; besides what `decodeModel` throws
 * @throws LimitError sparse weights stand for too much
 */
export async function loadModel(path: string, options: DecodeOptions = {}): Promise<Model> {
  const { limits: changes } = checkOptions(options, decodeOptionsNames);
  const limits = limitsFrom(changes);
  const model = decoded(await readModelFile(path, limits), path, limits);
  const files = regionsOf(model);
  if (files.size === 0) return withDenseWeights(model, limits);
  const loaded = new Map<string, Map<string, Uint8Array>>();
  for (const [location, regions] of files) {
    loaded.set(location, await readRegions(dirname(path), location, regions, limits));
  }
  return withDenseWeights(withRegions(model, loaded), limits);
}

/** The model in the bytes of a file. @throws FormatError that says what else the file is, where it tells */
function decoded(bytes: Uint8Array, path: string, limits: Limits): Model {
  try {
    return decodeModel(bytes, { limits });
  } catch (cause) {
    const foreign = cause instanceof FormatError ? foreignFile(bytes) : undefined;
    if (!foreign) throw cause;
    const { what, hint } = foreign;
    throw new FormatError("the file is not an ONNX model", { got: what, where: path, hint, cause });
  }
}

/** The paths of the data files that the model in a file refers to, without reading them. */
export async function dataFilesOf(path: string, options: DecodeOptions = {}): Promise<string[]> {
  const { limits } = checkOptions(options, decodeOptionsNames);
  const model = decodeModel(await readModelFile(path, limitsFrom(limits)), limits ? { limits } : {});
  return [...regionsOf(model).keys()].map((location) => join(dirname(path), location));
}

async function readModelFile(path: string, limits: Limits): Promise<Uint8Array> {
  const { file, stats } = await openRegular(path);
  try {
    checkLimit(limits, "fileBytes", stats.size, JSON.stringify(basename(path)));
    return await readExactly(file, 0, stats.size, basename(path));
  } finally {
    await file.close();
  }
}

async function readRegions(
  folder: string,
  location: string,
  regions: ReadonlyMap<string, Region>,
  limits: Limits,
): Promise<Map<string, Uint8Array>> {
  const { file, stats } = await openContained(folder, location);
  try {
    checkLimit(limits, "externalBytes", stats.size, JSON.stringify(location));
    checkRegions(location, regions, stats.size);
    await checkDigests(file, stats.size, location, regions);
    const parts = new Map<string, Uint8Array>();
    const root = await realPath(folder);
    for (const [key, { offset, length }] of regions) {
      const bytes = await readExactly(file, offset, length, location);
      setOrigin(bytes, { folder: root, location, offset, file: stats });
      parts.set(key, bytes);
    }
    return parts;
  } finally {
    await file.close();
  }
}

/** A checksum is the SHA-1 of the whole data file. */
async function checkDigests(
  file: FileHandle,
  size: number,
  location: string,
  regions: ReadonlyMap<string, Region>,
): Promise<void> {
  const stated = new Set([...regions.values()].flatMap(({ checksum }) => checksum?.toLowerCase() ?? []));
  if (stated.size === 0) return;
  const hash = createHash("sha1");
  for (let offset = 0; offset < size; offset += BLOCK) {
    hash.update(await readExactly(file, offset, Math.min(BLOCK, size - offset), location));
  }
  const digest = hash.digest("hex");
  for (const checksum of stated) {
    if (checksum === digest) continue;
    throw new FormatError("the checksum of external data differs", {
      expected: JSON.stringify(checksum.slice(0, 100)),
      got: digest,
      where: JSON.stringify(location),
    });
  }
}

const BLOCK = 2 ** 24;
/** The system moves at most 2 GiB in one call. */
const MAX_CALL = 2 ** 30;

async function readExactly(file: FileHandle, offset: number, length: number, name: string): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length; ) {
    const { bytesRead } = await file
      .read(bytes, done, Math.min(MAX_CALL, length - done), offset + done)
      .catch((cause: unknown) => {
        throw fileError("read the file", name, cause);
      });
    if (bytesRead === 0)
      throw new FormatError("a file became shorter while it was read", { got: JSON.stringify(name) });
    done += bytesRead;
  }
  return bytes;
}

export interface SaveOptions {
  /**
   * Whether large initializers go to a data file beside the model: `auto` (the default) only when one file would reach
   * 2 GiB, `always`, or `never`, which then is a `LimitError`.
   */
  readonly external?: "auto" | "never" | "always";
  /** Initializers of more bytes than this go to the data file; 1,024 by default, so that shapes and scalars stay inside. */
  readonly threshold?: number;
}

export interface SavedModel {
  /** The files that were written, the model first. */
  readonly files: readonly string[];
  /** Their bytes together. */
  readonly bytes: number;
}

const saveOptionsNames: OptionNames<SaveOptions> = { external: true, threshold: true };

/**
 * Writes a model to `path`, and its data file, when there is one, to `<path>.data`, or to `<path>.<digest>.data` where a file
 * of that name stands: the old model keeps its data until the new one has taken its place, so that a pair that fits stands there
 * whatever happens. Then the old model's data is removed, if it was named so.
 *
 * @throws InvalidModelError external data of the model was not loaded
 * @throws LimitError `external` is `never` and the file would reach 2 GiB
 */
export async function saveModel(path: string, given: Model, options: SaveOptions = {}): Promise<SavedModel> {
  const { external = "auto", threshold = 1024 } = checkOptions(options, saveOptionsNames);
  const model = asStored(given);
  mapTensors(model, requireLoaded);
  if (external !== "always") {
    const chunks = encodeModelChunks(model);
    if (external === "never" || totalLength(chunks) <= MAX_FILE_BYTES) {
      checkFileSize(chunks);
      await writeAtomically(path, (file) => writeChunks(file, chunks));
      return { files: [path], bytes: totalLength(chunks) };
    }
  }
  return saveWithData(path, model, threshold);
}

async function saveWithData(path: string, model: Model, threshold: number): Promise<SavedModel> {
  const target = await replaceable(path);
  const chunksWith = (location: string) => {
    const layout = dataLayout(model, location, threshold);
    const chunks = encodeModelChunks(layout.model);
    checkFileSize(chunks);
    return { chunks, data: layout.chunks };
  };
  const { chunks, data } = chunksWith(`${basename(target)}.data`);
  if (data.length === 0) {
    await writeAtomically(path, (file) => writeChunks(file, chunks));
    return { files: [path], bytes: totalLength(chunks) };
  }
  const old = await ownDataOf(target);
  const otherwise = `${target}.${digestOf(data)}.data`;
  const stood = (await lookAt(otherwise)) !== undefined;
  const placed = await createOrElse(`${target}.data`, otherwise, (file) => writeChunks(file, data));
  try {
    const final = placed === otherwise ? chunksWith(basename(placed)).chunks : chunks;
    await writeAtomically(path, (file) => writeChunks(file, final));
    for (const file of old) if (file !== placed) await remove(file);
    return { files: [path, placed], bytes: totalLength(final) + totalLength(data) };
  } catch (error) {
    if (!(placed === otherwise && stood)) await remove(placed);
    throw error;
  }
}

/** The data files of the model at a path that are named after it; none where no model stands. */
async function ownDataOf(path: string): Promise<string[]> {
  const stem = basename(path);
  const isOwn = (name: string) =>
    name.startsWith(`${stem}.`) && /^\.(?:[0-9a-f]{16}\.)?data$/.test(name.slice(stem.length));
  if (!(await namesIn(dirname(path))).some(isOwn)) return [];
  const files = await dataFilesOf(path).catch((): string[] => []);
  return files.filter((file) => dirname(file) === dirname(path) && isOwn(basename(file)));
}

function digestOf(chunks: readonly Uint8Array[]): string {
  const hash = createHash("sha256");
  for (const chunk of chunks) hash.update(chunk);
  return hash.digest("hex").slice(0, 16);
}

function requireLoaded(tensor: Tensor, where: string): Tensor {
  if (!isReference(tensor.data)) return tensor;
  throw new InvalidModelError("a tensor's external data was not loaded", {
    got: `a reference to ${JSON.stringify(tensor.data.location)}`,
    where,
    hint: "Load the model with loadModel(path), which resolves external data.",
  });
}

interface Layout {
  /** The model over references. */
  readonly model: Model;
  /** The data file in pieces, padding included. */
  readonly chunks: readonly Uint8Array[];
}

/** Large tensors start at pages, so that a runtime can map them; small ones at cache lines. */
const PAGE = 4096;
const LINE = 64;
const LARGE = 2 ** 20;

function dataLayout(model: Model, location: string, threshold: number): Layout {
  const chunks: Uint8Array[] = [];
  const placed = new Map<Uint8Array, ExternalReference>();
  let end = 0;
  const place = (data: Uint8Array): ExternalReference => {
    const known = placed.get(data);
    if (known) return known;
    const alignment = data.length >= LARGE ? PAGE : LINE;
    const offset = Math.ceil(end / alignment) * alignment;
    if (offset > end) chunks.push(new Uint8Array(offset - end));
    chunks.push(data);
    end = offset + data.length;
    const reference = { location, offset, length: data.length };
    placed.set(data, reference);
    return reference;
  };
  const over = mapTensors(model, (tensor, _where, role) => {
    if (role !== "initializer" || !(tensor.data instanceof Uint8Array) || tensor.data.length <= threshold)
      return tensor;
    return { ...tensor, data: place(tensor.data) };
  });
  return { model: over, chunks };
}

async function writeChunks(file: FileHandle, chunks: readonly Uint8Array[]): Promise<void> {
  for (const batch of batches(chunks)) {
    for (let done = 0; done < batch.length; ) {
      const { bytesWritten } = await file.write(batch, done, Math.min(MAX_CALL, batch.length - done));
      done += bytesWritten;
    }
  }
}

/** Large chunks as they are, runs of small ones joined: each write is a call to the system. */
function* batches(chunks: readonly Uint8Array[]): Generator<Uint8Array> {
  let small: Uint8Array[] = [];
  let length = 0;
  for (const chunk of chunks) {
    if (chunk.length >= LARGE) {
      if (length > 0) yield Buffer.concat(small, length);
      yield chunk;
      small = [];
      length = 0;
      continue;
    }
    small.push(chunk);
    length += chunk.length;
    if (length < BLOCK) continue;
    yield Buffer.concat(small, length);
    small = [];
    length = 0;
  }
  if (length > 0) yield Buffer.concat(small, length);
}
