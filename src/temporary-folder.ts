/** @file Temporary folders. Their names tell whether their maker still runs. Node only. */
import { type Dirent, lstatSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileError } from "./file-system.ts";
import { isRunning, thisProcess } from "./process-identity.ts";

/** Places in which this process has looked for what others left. */
const swept = new Set<string>();

/**
 * A new folder that nobody else may look into; its maker takes it away. A killed one cannot, so that the first folder of a process
 * takes away those of processes of this machine and user that have ended.
 *
 * @param use lower-case letters
 * @param place the folder that it is made in; by default the system's temporary one
 */
export function makeTemporaryFolder(use: string, place = tmpdir()): string {
  if (!swept.has(place)) removeLeftovers(place);
  swept.add(place);
  const { host, pid } = thisProcess();
  try {
    return mkdtempSync(join(place, `litheml-${use}-${host}-${pid}-`));
  } catch (cause) {
    throw fileError("make a temporary folder", place, cause);
  }
}

function removeLeftovers(place: string): void {
  try {
    for (const entry of readdirSync(place, { withFileTypes: true })) {
      if (isLeftover(entry)) removeOwn(join(place, entry.name));
    }
  } catch {
    // What cannot be listed is found out by the maker of the next folder.
  }
}

function isLeftover(entry: Dirent): boolean {
  const [, host, pid] = /^litheml-[a-z]+-([0-9a-f]{12})-(\d+)-\w{6}$/.exec(entry.name) ?? [];
  if (host === undefined || !entry.isDirectory()) return false;
  return isRunning({ host, pid: Number(pid), started: "" }) === false;
}

/** Another user could exchange a folder of his for a link while it is emptied. */
function removeOwn(folder: string): void {
  try {
    if (lstatSync(folder).uid === (process.getuid?.() ?? 0)) rmSync(folder, { recursive: true, force: true });
  } catch {
    // Another process took it away, or something in it is still in use; a later one does.
  }
}
