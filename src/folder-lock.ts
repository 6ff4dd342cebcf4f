/** @file One process at a time works in a folder. Node only. */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { createAtomically, writeAtomically } from "./atomic-file.ts";
import { UsageError } from "./errors.ts";
import { isMissing, readText, remove } from "./file-system.ts";
import { isRunning, type ProcessIdentity, thisProcess } from "./process-identity.ts";

const NAME = ".lithe-lock";

export interface FolderLock {
  /** Lets others in; a lock that was taken over by somebody else stays. */
  release(): Promise<void>;
}

/**
 * Locks a folder, which is made when it is missing. The lock of a process that no longer runs is taken over, that of one on another machine is not.
 *
 * @throws UsageError when another process works there
 */
export async function lockFolder(folder: string): Promise<FolderLock> {
  const path = join(folder, NAME);
  const own = JSON.stringify({ ...thisProcess(), token: randomBytes(8).toString("hex") });
  while (!(await createAtomically(path, own))) {
    const found = await contentOf(path);
    if (found !== undefined && (await takenOver(path, found, own, folder))) break;
  }
  return {
    async release() {
      if ((await contentOf(path)) === own) await remove(path);
    },
  };
}

/** Puts the own lock in the place of one whose process has ended: by one process at a time, which a lock of its own ensures. */
async function takenOver(path: string, found: string, own: string, folder: string): Promise<boolean> {
  refuseLiving(found, folder, path);
  const turn = `${path}-turn`;
  if (!(await createAtomically(turn, own))) {
    const other = await contentOf(turn);
    if (other === undefined) return false;
    refuseLiving(other, folder, turn);
    await remove(turn);
    return false;
  }
  try {
    if ((await contentOf(path)) !== found) return false;
    await writeAtomically(path, own);
    return true;
  } finally {
    await remove(turn);
  }
}

function refuseLiving(found: string, folder: string, path: string): void {
  const holder = parsed(found);
  if (!holder) {
    throw new UsageError("the folder has a lock that nobody can read", {
      where: path,
      hint: "If no process works in the folder, remove the lock.",
    });
  }
  const running = isRunning(holder);
  if (running === false) return;
  throw new UsageError("another run works in this folder", {
    got: running ? `process ${holder.pid}` : `process ${holder.pid} on another machine`,
    where: folder,
    hint: running ? "Wait until it ends, or name another folder." : `If it no longer runs, remove ${path}.`,
  });
}

function parsed(text: string): ProcessIdentity | undefined {
  try {
    const { host, pid, started } = JSON.parse(text) as Partial<ProcessIdentity>;
    const fits = typeof host === "string" && Number.isSafeInteger(pid) && pid! > 0 && typeof started === "string";
    return fits ? { host, pid: pid!, started } : undefined;
  } catch {
    return undefined;
  }
}

async function contentOf(path: string): Promise<string | undefined> {
  try {
    return await readText(path);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
