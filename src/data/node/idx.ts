/** @file Node only: an IDX file with the labels file that belongs to it. */
import { basename, dirname, join } from "node:path";
import { idxArray, idxLabelNames } from "../formats/idx.ts";
import { defaultInputName, imageDataset } from "../image-dataset.ts";
import { arrayImages, type LabelSource, labelsOf } from "../stored-array.ts";
import { inputsAsData, labelsAt } from "./arrays.ts";
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
    const beside = options.labels === undefined ? await labelsBeside(path) : undefined;
    const labels = options.labels === undefined ? beside?.labels : await labelsAt(options.labels);
    const assumptions = beside ? [`the labels come from ${beside.name}`] : [];
    const images = arrayImages(array, labels);
    if (!images) return inputsAsData(array.name, new Map([[defaultInputName, array]]), labels, options);
    const classes = await classesBeside(path);
    return imageDataset({ ...images, assumptions, ...(classes && { classes }) }, imageOptions(options), "unit");
  },
};

interface LabelsBeside {
  readonly name: string;
  readonly labels: LabelSource;
}

async function labelsBeside(path: string): Promise<LabelsBeside | undefined> {
  for (const name of idxLabelNames(basename(path))) {
    const candidate = join(dirname(path), name);
    if (!(await isRegularFile(candidate))) continue;
    return { name, labels: labelsOf(await idxArray(() => openContained(candidate))) };
  }
  return undefined;
}
