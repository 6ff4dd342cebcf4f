/**
 * @file Large tensors on their way to the runtime: in files that it maps into memory. As bytes they would be there three times: in the
 * message, in what the runtime reads of it and in its tensors.
 */
import { tmpdir } from "node:os";
import { writeTemporaryFolder } from "../../atomic-file.ts";
import { PathError } from "../../errors.ts";
import { freeBytes, remove as removeFolder } from "../../file-system.ts";
import { type Load, ownExternal } from "../prepare.ts";
import type { ExternalBytes } from "../protocol.ts";

export interface MappedLoad extends Load {
  /** To be called when the session is open or has failed: what is mapped stays readable without its name. */
  remove(): Promise<void>;
}

/** Windows cannot remove a file that is mapped. */
export const canMap = process.platform !== "win32";

/**
 * The load with its external tensors in a folder of their own; as bytes where there is no room for it.
 *
 * @param worthwhile bytes above which they are written to memory
 */
export async function withMappedTensors(load: Load, worthwhile = WORTHWHILE): Promise<MappedLoad> {
  const { external } = load.spec;
  if (external.length === 0) return { ...load, remove: async () => undefined };
  const folder = await written(external, worthwhile);
  if (folder !== undefined) {
    const remove = (): Promise<void> => removeFolder(folder);
    return { ...load, spec: { ...load.spec, external: [], folder }, remove };
  }
  const own = ownExternal(external);
  const transfer = [...load.transfer, ...own.map(({ data }) => data.buffer as ArrayBuffer)];
  return { ...load, spec: { ...load.spec, external: own }, transfer, remove: async () => undefined };
}

/** Linux's file system in memory, on which a large file is written and mapped in a fraction of the time. */
const IN_MEMORY = "/dev/shm";

/** Fewer bytes are written fast enough anywhere, where they do not count as memory that is taken. */
const WORTHWHILE = 2 ** 30;

/** Of the tensors' bytes, what must be free in memory: the runtime lays weights out anew, and the file is there meanwhile. */
const SHARE = 4;

async function hasRoomInMemory(external: readonly ExternalBytes[], worthwhile: number): Promise<boolean> {
  const bytes = external.reduce((sum, { data }) => sum + data.byteLength, 0);
  return bytes > worthwhile && (await freeBytes(IN_MEMORY)) > bytes && process.availableMemory() > SHARE * bytes;
}

/** The folder, in memory where there is room, or nothing when it cannot be written: temporary folders may be small. */
async function written(external: readonly ExternalBytes[], worthwhile: number): Promise<string | undefined> {
  const inMemory = (await hasRoomInMemory(external, worthwhile)) ? await writtenAt(external, IN_MEMORY) : undefined;
  return inMemory ?? (await writtenAt(external, tmpdir()));
}

async function writtenAt(external: readonly ExternalBytes[], place: string): Promise<string | undefined> {
  try {
    return await writeTemporaryFolder("tensors", external, place);
  } catch (error) {
    if (error instanceof PathError) return undefined;
    throw error;
  }
}
