/** @file Large tensors that lie in a file already, from which the runtime can map them: they need not be written anew. */
import { join } from "node:path";
import { LitheError } from "../../errors.ts";
import { lookAtLink } from "../../file-system.ts";
import { isSparse, type Model } from "../../ir/index.ts";
import { type DataOrigin, originOf } from "../../onnx/data-origin.ts";

/** Bytes to which the kernels of the runtime expect weights to be aligned. */
const ALIGNMENT = 64;

/** The tensors of a model whose files, all in one folder, are as they were when they were read. */
export type MappedOrigins = ReadonlyMap<Uint8Array, DataOrigin>;

export async function mappedOrigins({ graph }: Model): Promise<MappedOrigins> {
  const found = new Map<Uint8Array, DataOrigin>();
  const unchanged = new Map<string, boolean>();
  let folder: string | undefined;
  for (const initializer of graph.initializers.values()) {
    const data = isSparse(initializer) ? undefined : initializer.data;
    const origin = data instanceof Uint8Array ? originOf(data) : undefined;
    if (!origin || origin.offset % ALIGNMENT !== 0) continue;
    folder ??= origin.folder;
    const path = join(origin.folder, origin.location);
    if (!unchanged.has(path)) unchanged.set(path, await isUnchanged(path, origin));
    if (origin.folder === folder && unchanged.get(path)) found.set(data as Uint8Array, origin);
  }
  return found;
}

async function isUnchanged(path: string, { file }: DataOrigin): Promise<boolean> {
  try {
    const now = await lookAtLink(path);
    return (["dev", "ino", "size", "mtimeMs"] as const).every((fact) => now?.[fact] === file[fact]);
  } catch (error) {
    if (error instanceof LitheError) return false;
    throw error;
  }
}
