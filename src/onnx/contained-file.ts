/** @file Opening a file that an untrusted model names, inside the model's folder and nowhere else. Node only. */
import { join } from "node:path";
import { PathError } from "../errors.ts";
import { lookAt, lookAtLink, type OpenedFile, openRegular, realPath, type Stats } from "../file-system.ts";
import { checkLocation } from "./location.ts";

/**
 * Opens `location` below `folder`. Every part of the way must be a real folder, the file itself regular and without other
 * names; what was opened is compared with what was looked at, so that nothing can be exchanged in between.
 *
 * @throws PathError otherwise
 */
export async function openContained(folder: string, location: string): Promise<OpenedFile> {
  checkLocation(location, "external data");
  const root = await realPath(folder);
  const parts = location.split("/").filter((part) => part !== ".");
  let path = root;
  for (const [i, part] of parts.entries()) {
    path = join(path, part);
    checkEntry(await looked(path, location), i === parts.length - 1, location);
  }
  const { file, stats } = await openRegular(path, { follow: false });
  try {
    checkEntry(stats, true, location);
    if ((await realPath(path)) !== path) throw refused(location, "it leads through a link");
    const seen = await lookAt(path);
    if (seen?.ino !== stats.ino || seen.dev !== stats.dev) throw refused(location, "it changed while it was opened");
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
  const stats = await lookAtLink(path);
  if (stats) return stats;
  throw new PathError("there is no such file", { got: JSON.stringify(location), where: path });
}

function refused(name: string, reason: string, hint?: string): PathError {
  return new PathError(`the file is refused: ${reason}`, {
    got: JSON.stringify(name),
    ...(hint === undefined ? {} : { hint }),
  });
}
