/** @file Node only: npz archives, one array per input and one of labels. */
import { basename } from "node:path";
import { ensure, FormatError } from "../../errors.ts";
import { npyArray } from "../formats/npy.ts";
import { zipEntries, zipEntrySource } from "../formats/zip.ts";
import type { StoredArray } from "../stored-array.ts";
import { arraysAsData } from "./arrays.ts";
import { openFile } from "./files.ts";
import type { DataFormat } from "./format.ts";

export const npz: DataFormat = {
  name: "npz",
  recognisedBy: 'a file *.npz, arrays named as the inputs, samples along the first axis, labels in the array "labels"',
  options: ["preprocess", "labels", "port"],
  recognises: ({ kind, name }) => kind === "file" && name.endsWith(".npz"),
  async open({ path }, options) {
    return arraysAsData(basename(path), await npzArrays(path), options);
  },
};

async function npzArrays(path: string): Promise<ReadonlyMap<string, StoredArray>> {
  const open = () => openFile(path);
  const file = await open();
  const entries = await zipEntries(file).finally(() => file.close());
  const arrays = new Map<string, StoredArray>();
  for (const entry of entries) {
    if (!entry.name.endsWith(".npy")) continue;
    const name = entry.name.slice(0, -".npy".length);
    ensure(
      !arrays.has(name),
      () => new FormatError("an array appears twice", { got: JSON.stringify(name), where: file.name }),
    );
    arrays.set(name, await npyArray(zipEntrySource(open, entry), `${file.name}, ${JSON.stringify(name)}`));
  }
  ensure(
    arrays.size > 0,
    () => new FormatError("the archive holds no arrays", { expected: "entries *.npy", where: file.name }),
  );
  return arrays;
}
