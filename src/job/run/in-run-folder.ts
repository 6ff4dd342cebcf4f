/** @file Work in the folder of a run: kept for `--resume` when it is interrupted, taken back when it fails. */
import { relative } from "node:path";
import { CancelledError } from "../../errors.ts";
import { openRunFolder, type RunFolder } from "../../report/index.ts";
import type { Console } from "../console.ts";

export interface RunPlace {
  readonly path: string;
  /** All that the result depends on: a resumed run must have been given the same. */
  readonly identity: object;
  readonly resume: boolean;
  /** What an interrupted run leaves, as the beginning of a sentence; nothing that serves to go on where absent. */
  readonly kept?: string;
}

/** @throws what `work` throws; CancelledError, with the way to go on, when the console's signal is aborted */
export async function inRunFolder<T>(
  { path, identity, resume, kept }: RunPlace,
  { signal }: Pick<Console, "signal">,
  work: (folder: RunFolder) => Promise<T>,
): Promise<T> {
  await using folder = await openRunFolder(path, identity, { resume });
  try {
    return await work(folder);
  } catch (error) {
    if (!signal.aborted || kept === undefined) await folder.abandon();
    if (!signal.aborted) throw error;
    const hint = `${kept} in ${relative("", path) || "."}; the same command with --resume goes on.`;
    throw new CancelledError("interrupted", { ...(kept !== undefined && { hint }), cause: error });
  }
}
