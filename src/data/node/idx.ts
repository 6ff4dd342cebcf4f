/** @file Node only: an IDX file with the labels file that belongs to it. */
import { basename, dirname, join } from "node:path";
import { idxArray, idxLabelNames } from "../formats/idx.ts";
import { imageDataset } from "../image-dataset.ts";
import { arrayImages } from "../stored-array.ts";
import { arraysAsData } from "./arrays.ts";
import { isRegularFile, openContained, openFile } from "./files.ts";
import type { DataFormat } from "./format.ts";
import { classesBeside, imageOptions } from "./image-options.ts";

export const idx: DataFormat = {
  name: "IDX",
  recognisedBy: "a file *-ubyte, *.idx or the same with .gz; labels from the file that is named alike",
  options: ["preprocess", "labels", "port"],
  recognises: ({ kind, name }) => kind === "file" && /(-ubyte|\.idx|[.-]idx\d[^/]*)(\.gz)?$/.test(name),
  async open({ path }, options) {
    const array = await idxArray(() => openFile(path));
    const labelsPath = options.labels ?? (await labelsBeside(path));
    const labels = labelsPath === undefined ? undefined : await idxArray(() => openContained(labelsPath));
    const images = arrayImages(array, labels);
    if (!images) return arraysAsData(array.name, new Map([["input", array]]), labels, options);
    const classes = await classesBeside(path);
    const assumptions = options.labels === undefined && labels ? [`the labels come from ${labels.name}`] : [];
    return imageDataset({ ...images, assumptions, ...(classes && { classes }) }, imageOptions(options), "unit");
  },
};

async function labelsBeside(path: string): Promise<string | undefined> {
  for (const name of idxLabelNames(basename(path))) {
    const candidate = join(dirname(path), name);
    if (await isRegularFile(candidate)) return candidate;
  }
  return undefined;
}
