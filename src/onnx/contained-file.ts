/** @file Opening a file that an untrusted model names, inside the model's folder and nowhere else. Node only. */
import { constants, type Stats } from "node:fs";
import { type FileHandle, lstat, open, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import { PathError } from "../errors.ts";
import { checkLocation } from "./location.ts";

/** `O_NONBLOCK`, so that opening a FIFO does not wait for its other end. */
const READ = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

/** Opens a regular file for reading; devices, FIFOs and folders are a `PathError`. Links are followed. */
export async function openRegular(path: string): Promise<{ readonly file: FileHandle; readonly stats: Stats }> {
  const file = await opened(path, READ);
  try {
    const stats = await file.stat();
    if (!stats.isFile()) throw refused(path, "it is not a regular file");
    return { file, stats };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/**
 * Opens `location` below `folder`. Every part of the way must be a real folder, the file itself regular and without other
 * names; what was opened is compared with what was looked at, so that nothing can be exchanged in between.
 *
 * @throws PathError otherwise
 */
export async function openContained(
  folder: string,
  location: string,
): Promise<{ readonly file: FileHandle; readonly stats: Stats }> {
  checkLocation(location, "external data");
  const root = await realpath(folder);
  const parts = location.split("/").filter((part) => part !== ".");
  let path = root;
  for (const [i, part] of parts.entries()) {
    path = join(path, part);
    checkEntry(await looked(path, location), i === parts.length - 1, location);
  }
  const file = await opened(path, READ | (constants.O_NOFOLLOW ?? 0), location);
  try {
    const stats = await file.stat();
    checkEntry(stats, true, location);
    if ((await realpath(path)) !== path) throw refused(location, "it leads through a link");
    const seen = await stat(path);
    if (seen.ino !== stats.ino || seen.dev !== stats.dev) throw refused(location, "it changed while it was opened");
    return { file, stats };
  } catch (error) {
    await file.close();
    throw error;
  }
}

function checkEntry(stats: Stats, isLast: boolean, location: string): void {
  if (stats.isSymbolicLink()) {
    throw refused(location, "it is or leads through a symbolic link", "Copy the model and its data to a folder.");
  }
  if (!isLast && !stats.isDirectory()) throw refused(location, "a part of it is not a folder");
  if (isLast && !stats.isFile()) throw refused(location, "it is not a regular file");
  if (isLast && stats.nlink > 1) {
    throw refused(location, "the file has other names (hard links)", "Copy the model and its data to a folder.");
  }
}

async function looked(path: string, location: string): Promise<Stats> {
  try {
    return await lstat(path);
  } catch (cause) {
    throw missing(location, cause);
  }
}

async function opened(path: string, flags: number, name = path): Promise<FileHandle> {
  try {
    return await open(path, flags);
  } catch (cause) {
    throw missing(name, cause);
  }
}

function missing(name: string, cause: unknown): PathError {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : String(cause);
  return new PathError(`the file cannot be opened: ${code}`, { got: JSON.stringify(name), cause });
}

function refused(name: string, reason: string, hint?: string): PathError {
  return new PathError(`the file is refused: ${reason}`, {
    got: JSON.stringify(name),
    ...(hint === undefined ? {} : { hint }),
  });
}
