/** @file Node only: text files. */
import { decodeText } from "../json.ts";
import { limits } from "../limits.ts";
import { openFile, readWhole } from "./files.ts";

/** The whole of a UTF-8 file. */
export async function readTextFile(path: string): Promise<string> {
  return decodeText(await readWhole(() => openFile(path), limits.textBytes), path);
}
