/** @file Checks of where results go, before any work is done. */
import { constants, type Stats } from "node:fs";
import { access, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { PathError, UsageError } from "../errors.ts";

/**
 * A file can be written to `path`, and doing so replaces none of `inputs`.
 *
 * @throws UsageError for a folder or an input, PathError for a place that cannot be written to
 */
export async function checkOutputFile(path: string, inputs: readonly string[] = []): Promise<void> {
  if (inputs.some((input) => resolve(input) === resolve(path)))
    throw new UsageError("the result would replace its source", { where: path, hint: "Name another file with --out." });
  if ((await found(path))?.isDirectory())
    throw new UsageError("a file cannot be written where a folder is", { where: path });
  await checkOutputFolder(dirname(path));
}

/** Files can be written into the folder `path`, which need not exist yet. */
export async function checkOutputFolder(path: string): Promise<void> {
  const existing = await found(path);
  if (existing === undefined) return checkOutputFolder(parentOf(path));
  if (!existing.isDirectory()) throw new PathError("expected a folder, found a file", { where: path });
  await access(path, constants.W_OK).catch((cause: unknown) => {
    throw new PathError("the folder cannot be written to", { where: path, cause });
  });
}

function parentOf(path: string): string {
  const parent = dirname(resolve(path));
  if (parent === resolve(path)) throw new PathError("there is no such folder", { where: path });
  return parent;
}

/** A path below a file is as absent as any other: the walk upwards meets the file. */
async function found(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw new PathError("the place for the result cannot be looked at", { where: path, cause });
  }
}
