/** @file Writing files so that nothing is ever half-written: a temporary name, flush, rename. Node only. */
import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, mkdir, open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/** Where `write` puts its bytes; the file appears under its own name only after `write` has returned. */
export type WriteContents = (file: FileHandle) => Promise<void>;

/**
 * Creates or replaces the file at `path`. Missing folders are made. When `contents` fails or the process dies, what stood
 * at `path` before still stands there.
 */
export async function writeAtomically(path: string, contents: string | Uint8Array | WriteContents): Promise<void> {
  const folder = dirname(path);
  await mkdir(folder, { recursive: true });
  const temporary = join(folder, `.${basename(path)}.${randomBytes(6).toString("hex")}.tmp`);
  const file = await open(temporary, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o666);
  try {
    if (typeof contents === "function") await contents(file);
    else await file.writeFile(contents);
    await file.sync();
    await file.close();
    await rename(temporary, path);
  } catch (error) {
    await file.close().catch(() => undefined);
    await rm(temporary, { force: true });
    throw error;
  }
}
