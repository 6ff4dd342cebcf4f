/** @file Node only: a folder that holds a data file as it was downloaded, such as MNIST's, in place of pictures. */
import { basename, extname } from "node:path";
import { nth } from "../../checked.ts";
import { DataError } from "../../errors.ts";
import { imageExtensions } from "./decode-image.ts";
import { listFolder } from "./files.ts";
import type { DataLocation } from "./format.ts";
import { dataFormats } from "./formats.ts";

/** Names of labels, and of what goes with the data without being data. */
const beside = /labels?\b|labels?[.-]|^classes\.|^index\./;

/**
 * The one file of samples in a folder without pictures and subfolders; of several, the one for training. `undefined` where the folder
 * itself is the data.
 *
 * @throws DataError for several files of which none is for training
 */
export async function dataFileIn(folder: string): Promise<DataLocation | undefined> {
  const entries = await listFolder(folder);
  const isPictures = entries.some(
    ({ name, kind }) => kind === "folder" || imageExtensions.has(extname(name).toLowerCase()),
  );
  if (isPictures) return undefined;
  const files = entries.flatMap(({ name, path, kind }): DataLocation[] => {
    const location: DataLocation = { path, name: name.toLowerCase(), kind: "file" };
    const isData =
      kind === "file" && !beside.test(location.name) && dataFormats.some((each) => each.recognises(location));
    return isData ? [location] : [];
  });
  if (files.length === 0) return undefined;
  if (files.length === 1) return nth(files, 0);
  const training = files.filter(({ name }) => /\btrain|train\b|_train|train_/.test(name));
  if (training.length === 1) return nth(training, 0);
  throw new DataError("the folder holds several files of data", {
    expected: "one, or one for training",
    got: files.map(({ path }) => basename(path)).join(", "),
    where: folder,
    hint: "Give one of them.",
  });
}
