/** @file Node only: npy files, samples along the first axis. */
import { npyArray } from "../formats/npy.ts";
import { defaultInputName } from "../image-dataset.ts";
import { arraysAsData } from "./arrays.ts";
import { openFile } from "./files.ts";
import type { DataFormat } from "./format.ts";

export const npy: DataFormat = {
  name: "npy",
  recognisedBy: "a file *.npy, samples along the first axis; labels from another npy file or a list",
  options: ["preprocess", "labels", "port"],
  recognises: ({ kind, name }) => kind === "file" && name.endsWith(".npy"),
  async open({ path }, options) {
    const array = await npyArray(() => openFile(path));
    return arraysAsData(array.name, new Map([[defaultInputName, array]]), options);
  },
};
