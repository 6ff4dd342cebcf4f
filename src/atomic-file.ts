/** @file All that lithe writes: a temporary name, flush, rename, so that nothing is ever half-written. Node only. */
import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { link, rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import { PathError } from "./errors.ts";
import {
  codeOf,
  type FileHandle,
  fileError,
  kindOf,
  lookAt,
  lookAtLink,
  makeFolders,
  namesIn,
  openFile,
  realPath,
  remove,
} from "./file-system.ts";
import { isRunning, thisProcess } from "./process-identity.ts";
import { makeTemporaryFolder } from "./temporary-folder.ts";

/** Where `write` puts its bytes; the file appears under its own name only after `write` has returned. */
export type WriteContents = (file: FileHandle) => Promise<void>;

/**
 * Creates or replaces the file at `path`. Missing folders are made. When `contents` fails or the process dies, what stood
 * at `path` before still stands there. A link is followed to its file; only regular files are replaced.
 *
 * @throws PathError for a folder, a device, a pipe, a socket or a link that leads nowhere, and for what the system refuses
 */
export async function writeAtomically(path: string, contents: string | Uint8Array | WriteContents): Promise<void> {
  const target = await replaceable(path);
  const folder = dirname(target);
  await makeFolders(folder);
  const temporary = await writtenBeside(target, path, contents);
  try {
    await rename(temporary, target);
  } catch (cause) {
    await remove(temporary);
    throw fileError("write the file", path, cause);
  }
  await flushFolder(folder);
  if (!swept.has(folder)) await removeLeftovers(folder);
  swept.add(folder);
}

/** A temporary folder in the folder `place`, with these files. They are not flushed, since no crash needs them. */
export async function writeTemporaryFolder(
  use: string,
  files: readonly { readonly path: string; readonly data: Uint8Array }[],
  place: string,
): Promise<string> {
  const folder = makeTemporaryFolder(use, place);
  try {
    for (const { path, data } of files) await writeTemporary(join(folder, path), data);
    return folder;
  } catch (error) {
    await remove(folder);
    throw error;
  }
}

async function writeTemporary(path: string, data: Uint8Array): Promise<void> {
  const file = await openFile(path, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, "write the file");
  try {
    await file.writeFile(data);
  } catch (cause) {
    throw fileError("write the file", path, cause);
  } finally {
    await file.close();
  }
}

/** Folders in which this process has looked for what others left. */
const swept = new Set<string>();

/** Creates the file unless something stands there: whether it did. */
export async function createAtomically(path: string, contents: string): Promise<boolean> {
  await makeFolders(dirname(path));
  const temporary = await writtenBeside(path, path, contents);
  try {
    return (await linked(temporary, path)) ?? (await createdInPlace(path, contents));
  } finally {
    await remove(temporary);
  }
}

/**
 * Creates the file at `path`, or, where something stands, at `otherwise`, which is replaced: a name that tells the contents.
 * The path that was taken.
 */
export async function createOrElse(path: string, otherwise: string, contents: WriteContents): Promise<string> {
  await makeFolders(dirname(path));
  const temporary = await writtenBeside(path, path, contents);
  try {
    if (await linked(temporary, path)) return path;
    await rename(temporary, await replaceable(otherwise));
    return otherwise;
  } catch (cause) {
    throw fileError("write the file", otherwise, cause);
  } finally {
    await remove(temporary);
    await flushFolder(dirname(path));
  }
}

/** Whether the file got a further name that was free; `undefined` where the file system has no hard links. */
async function linked(file: string, name: string): Promise<boolean | undefined> {
  try {
    await link(file, name);
    return true;
  } catch (cause) {
    if (codeOf(cause) === "EEXIST") return false;
    if (noLinks.has(codeOf(cause) ?? "")) return undefined;
    throw fileError("create the file", name, cause);
  }
}

/** What file systems without hard links say. */
const noLinks: ReadonlySet<string> = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK", "EINVAL"]);

async function createdInPlace(path: string, contents: string): Promise<boolean> {
  const { O_CREAT, O_EXCL, O_WRONLY } = constants;
  try {
    const file = await openFile(path, O_CREAT | O_EXCL | O_WRONLY, "create the file");
    await file.writeFile(contents).finally(() => file.close());
    return true;
  } catch (cause) {
    if (codeOf(cause) === "EEXIST") return false;
    throw fileError("create the file", path, cause);
  }
}

/** Adds a text to the end of a regular file, which is made when it is missing. */
export async function appendText(path: string, text: string): Promise<void> {
  await replaceable(path);
  const { O_CREAT, O_WRONLY, O_APPEND, O_NONBLOCK = 0 } = constants;
  const file = await openFile(path, O_CREAT | O_WRONLY | O_APPEND | O_NONBLOCK, "add to the file");
  try {
    await file.appendFile(text);
  } catch (cause) {
    throw fileError("add to the file", path, cause);
  } finally {
    await file.close();
  }
}

/** The path of the file that writing to `path` replaces or makes. @throws PathError when that is no regular file */
export async function replaceable(path: string): Promise<string> {
  const entry = await lookAtLink(path);
  if (!entry) return path;
  const stats = entry.isSymbolicLink() ? await lookAt(path) : entry;
  if (!stats) {
    throw new PathError("a file cannot be written where a link leads nowhere", {
      where: path,
      hint: "Remove the link, or name another file.",
    });
  }
  if (!stats.isFile()) {
    throw new PathError(`a file cannot be written where ${kindOf(stats)} is`, {
      expected: "a regular file, or nothing",
      where: path,
      hint: "Name another file.",
    });
  }
  return entry.isSymbolicLink() ? await realPath(path) : path;
}

async function writtenBeside(
  target: string,
  path: string,
  contents: string | Uint8Array | WriteContents,
): Promise<string> {
  const temporary = join(dirname(target), temporaryName());
  const { O_CREAT, O_EXCL, O_WRONLY } = constants;
  const file = await openFile(temporary, O_CREAT | O_EXCL | O_WRONLY, "write into the folder");
  try {
    if (typeof contents === "function") await contents(file);
    else await file.writeFile(contents);
    await file.sync();
    await file.close();
    return temporary;
  } catch (cause) {
    await file.close().catch(() => undefined);
    await remove(temporary);
    throw fileError("write the file", path, cause);
  }
}

/** Short, so that a name that fits has a temporary one that fits; it tells whether its writer still runs. */
function temporaryName(): string {
  const { host, pid } = thisProcess();
  return `.lithe-${host}-${pid}-${randomBytes(6).toString("hex")}.tmp`;
}

/** Takes away what writers that were ended have left in a folder; in a locked one, those of other machines have ended, too. */
export async function removeLeftovers(folder: string, { locked = false } = {}): Promise<void> {
  for (const name of await namesIn(folder)) if (isLeftover(name, locked)) await remove(join(folder, name));
}

function isLeftover(name: string, locked: boolean): boolean {
  const [, host, pid] = /^\.lithe-([0-9a-f]{12})-(\d+)-[0-9a-f]{12}\.tmp$/.exec(name) ?? [];
  if (host === undefined) return locked && /^\..+\.[0-9a-f]{12}\.tmp$/.test(name);
  const running = isRunning({ host, pid: Number(pid), started: "" });
  return running === false || (locked && running === undefined);
}

/** A name is on disk when its folder is; some file systems flush folders on their own and refuse to be asked. */
async function flushFolder(folder: string): Promise<void> {
  const opened = await openFile(folder, constants.O_RDONLY).catch(() => undefined);
  try {
    await opened?.sync();
  } catch (cause) {
    if (codeOf(cause) === "EIO" || codeOf(cause) === "ENOSPC") throw fileError("flush the folder", folder, cause);
  } finally {
    await opened?.close();
  }
}
