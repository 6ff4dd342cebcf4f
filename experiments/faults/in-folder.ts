/** @file Folders in which faults are tried. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Answer, Fault } from "./fault.ts";

/** Does something in a folder that goes afterwards; a short prefix where paths of sockets lie below it. */
export async function inFolder<T>(work: (folder: string) => Promise<T>, prefix = "lithe-fault-"): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), prefix));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** A try in such a folder, with that of the cases. */
export function triedInFolder(work: (folder: string, cases: string) => Promise<Answer>): Fault["try"] {
  return ({ shared }) => inFolder((folder) => work(folder, join(shared, "cases")));
}
