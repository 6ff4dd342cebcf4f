/** @file The file system as lithe sees it: whatever the system refuses is a named error with the path and what to do. Node only. */
import { constants, type Dirent, type Stats } from "node:fs";
import {
  access,
  type FileHandle,
  lstat,
  mkdir,
  open,
  readdir,
  realpath,
  rm,
  rmdir,
  stat,
  statfs,
} from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { FormatError, LimitError, LitheError, PathError } from "./errors.ts";

export type { FileHandle, Stats };

/** Bytes of a text that is read whole, such as a configuration or a report. */
const TEXT = 2 ** 28;

/** What the codes of the system mean, and what can be done. */
const meanings: Readonly<Record<string, readonly [meaning: string, hint?: string]>> = {
  ENOENT: ["there is no such file or folder"],
  EACCES: ["permission is denied", "Choose another place, or change the permissions."],
  EPERM: ["the system does not permit it", "Choose another place, or change the permissions."],
  EROFS: ["the file system is read-only", "Choose another place."],
  ENOSPC: ["the disk is full", "Free some space, or choose another place."],
  EDQUOT: ["the disk quota is used up", "Free some space, or choose another place."],
  EFBIG: ["the file would be larger than the file system allows", "Choose another place."],
  ENAMETOOLONG: ["the name is too long for the file system", "Choose a shorter name."],
  EISDIR: ["it is a folder", "Name a file."],
  ENOTDIR: ["a part of the path is a file, not a folder"],
  ELOOP: ["the path leads through a circle of symbolic links, or through a link that is not followed"],
  EMFILE: ["the process has too many files open", "Raise the limit with ulimit -n, or use fewer workers."],
  ENFILE: ["the system has too many files open", "End other programs, or use fewer workers."],
  EEXIST: ["something stands there already"],
  ENOTEMPTY: ["the folder is not empty"],
  EBUSY: ["it is in use", "End the program that uses it."],
  ETXTBSY: ["it is in use", "End the program that uses it."],
  EXDEV: ["it lies on another file system"],
  EIO: ["the disk failed to read or write"],
  ENXIO: ["it is a device or a pipe without another end", "Name a regular file."],
  ENODEV: ["there is no such device", "Name a regular file."],
  EINVAL: ["the file system does not support it", "Choose another place."],
  ERR_INVALID_ARG_VALUE: ["the path has a character that no file name can have"],
};

/** The code of a system error, also of one that a named error was made from. */
export function codeOf(error: unknown): string | undefined {
  if (error instanceof LitheError) return codeOf(error.cause);
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/** Whether nothing stands at the path, or a part of it is a file. */
export function isMissing(error: unknown): boolean {
  const code = codeOf(error);
  return code === "ENOENT" || code === "ENOTDIR";
}

/** A named error for one of the system; named errors stay as they are. `doing` completes "cannot …". */
export function fileError(doing: string, path: string, cause: unknown): Error {
  const code = codeOf(cause);
  if (cause instanceof LitheError || !(cause instanceof Error) || code === undefined) return cause as Error;
  if (!Object.hasOwn(meanings, code) && !("syscall" in cause)) return cause;
  const [meaning, hint] = meanings[code] ?? [`the system says ${cause.message}`];
  return new PathError(`cannot ${doing}: ${meaning}`, {
    got: code,
    where: path.length > 300 ? `${path.slice(0, 300)}…` : path,
    ...(hint !== undefined && { hint }),
    cause,
  });
}

async function attempt<T>(doing: string, path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw fileError(doing, path, cause);
  }
}

/** Opens a file; the handle's own errors are those of the system. */
export function openFile(path: string, flags: number, doing = "open the file"): Promise<FileHandle> {
  return attempt(doing, path, () => open(path, flags, 0o666));
}

export interface OpenedFile {
  readonly file: FileHandle;
  readonly stats: Stats;
}

/** Opens a regular file for reading; devices, FIFOs, sockets and folders are a `PathError` and are never waited for. */
export async function openRegular(path: string, { follow = true } = {}): Promise<OpenedFile> {
  const flags = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (follow ? 0 : (constants.O_NOFOLLOW ?? 0));
  const file = await openFile(path, flags);
  try {
    const stats = await attempt("look at the file", path, () => file.stat());
    if (!stats.isFile()) {
      throw new PathError("the file is refused: it is not a regular file", { got: kindOf(stats), where: path });
    }
    return { file, stats };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** What stands at a path, in words. */
export function kindOf(stats: Stats): string {
  if (stats.isFile()) return "a file";
  if (stats.isDirectory()) return "a folder";
  if (stats.isFIFO()) return "a pipe";
  if (stats.isSocket()) return "a socket";
  return stats.isSymbolicLink() ? "a link" : "a device";
}

/** The bytes of a regular file of at most `limit` bytes. */
export async function readBytes(path: string, limit = TEXT): Promise<Uint8Array> {
  const { file, stats } = await openRegular(path);
  try {
    if (stats.size > limit) {
      throw new LimitError("a file is too large to be read whole", {
        expected: `at most ${limit} bytes`,
        got: `${stats.size} bytes`,
        where: path,
      });
    }
    return await attempt("read the file", path, () => file.readFile());
  } finally {
    await file.close();
  }
}

/** The UTF-8 text of a regular file. */
export async function readText(path: string): Promise<string> {
  const bytes = await readBytes(path);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new FormatError("the text is not UTF-8", { where: path, cause });
  }
}

/** What stands at a path behind all links; `undefined` when nothing does. */
export function lookAt(path: string): Promise<Stats | undefined> {
  return unlessMissing(attempt("look at the path", path, () => stat(path)));
}

/** What stands at a path, which may be a link; `undefined` when nothing does. */
export function lookAtLink(path: string): Promise<Stats | undefined> {
  return unlessMissing(attempt("look at the path", path, () => lstat(path)));
}

async function unlessMissing<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** The path without links. */
export function realPath(path: string): Promise<string> {
  return attempt("follow the path", path, () => realpath(path));
}

export function listEntries(folder: string): Promise<Dirent[]> {
  return attempt("list the folder", folder, () => readdir(folder, { withFileTypes: true }));
}

/** The names in a folder; none when there is no such folder. */
export async function namesIn(folder: string): Promise<string[]> {
  return (await unlessMissing(listEntries(folder)))?.map(({ name }) => name) ?? [];
}

export function checkWritable(folder: string): Promise<void> {
  return attempt("write into the folder", folder, () => access(folder, constants.W_OK));
}

/** The bytes that are free in a folder's file system; 0 when there is no such folder. */
export async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder).catch(() => ({ bavail: 0, bsize: 0 }));
  return bavail * bsize;
}

/** Takes away a file, or a folder with all that is in it; what is not there is no error. */
export function remove(path: string): Promise<void> {
  return attempt("remove", path, () => rm(path, { recursive: true, force: true }));
}

/** Takes away a folder if it is empty. */
export async function removeEmpty(folder: string): Promise<void> {
  await rmdir(folder).catch(() => undefined);
}

/** Makes a folder and those above it. Node's own `recursive` never returns where the system denies that a parent exists, as in /proc. */
export async function makeFolders(path: string): Promise<void> {
  const missing: string[] = [];
  for (let at = resolve(path); ; at = dirname(at)) {
    const found = await lookAt(at);
    if (found && !found.isDirectory()) {
      throw new PathError("cannot make the folder: a file stands in its way", { got: kindOf(found), where: at });
    }
    if (found) break;
    missing.unshift(at);
    if (dirname(at) === at) break;
  }
  for (const folder of missing) {
    await attempt("make the folder", folder, () => mkdir(folder)).catch((error: unknown) => {
      if (codeOf(error) !== "EEXIST") throw error;
    });
  }
}
