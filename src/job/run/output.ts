/** @file Checks of where results go, before any work is done. */
import { dirname, resolve } from "node:path";
import { replaceable } from "../../atomic-file.ts";
import { PathError, UsageError } from "../../errors.ts";
import { checkWritable, kindOf, lookAt, realPath } from "../../file-system.ts";

/**
 * A file can be written to `path`, and doing so replaces none of `inputs`.
 *
 * @throws UsageError for an input, PathError for a place that cannot be written to, or where no regular file is
 */
export async function checkOutputFile(path: string, inputs: readonly (string | undefined)[] = []): Promise<void> {
  if ((await lookAt(path))?.isDirectory()) {
    throw new UsageError("a file cannot be written where a folder is", { where: path, hint: "Name a file." });
  }
  const target = await replaceable(path);
  for (const input of inputs) {
    if (input === undefined || (await sameFile(input)) !== (await sameFile(target))) continue;
    throw new UsageError("the result would replace its source", { where: path, hint: "Name another file with --out." });
  }
  await checkOutputFolder(dirname(target));
}

/** The path without links, where something stands. */
async function sameFile(path: string): Promise<string> {
  return (await lookAt(path)) ? await realPath(path) : resolve(path);
}

/** Files can be written into the folder `path`, which need not exist yet. */
export async function checkOutputFolder(path: string): Promise<void> {
  const existing = await lookAt(path);
  if (existing === undefined) return checkOutputFolder(parentOf(path));
  if (!existing.isDirectory()) {
    throw new PathError("expected a folder, found something else", { got: kindOf(existing), where: path });
  }
  await checkWritable(path);
}

/** The run folder of a result: beside a file, or the folder itself. */
export function runFolderOf(out: string): string {
  return out.replace(/\.onnx$/, "-run");
}

function parentOf(path: string): string {
  const parent = dirname(resolve(path));
  if (parent === resolve(path)) throw new PathError("there is no such folder", { where: path });
  return parent;
}
