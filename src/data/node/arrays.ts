/** @file Node only: what the formats that hold arrays share: which array is the labels, and the options. */

import { extname } from "node:path";
import { must } from "../../checked.ts";
import { UsageError } from "../../errors.ts";
import type { Dataset } from "../dataset.ts";
import { idxArray } from "../formats/idx.ts";
import { npyArray } from "../formats/npy.ts";
import { imageDataset } from "../image-dataset.ts";
import { arrayDataset, arrayImages, type LabelSource, labelsOf, type StoredArray } from "../stored-array.ts";
import { openFile } from "./files.ts";
import { type OpenOptions, portList } from "./format.ts";
import { imageOptions, labelsFromFile } from "./image-options.ts";

/** Arrays whose name says that they are labels, when no input is called so. */
const labelNames = ["labels", "label", "y"] as const;

/**
 * Arrays as tensors; a single 8-bit one as images when a preprocessing is given. `options.labels` is the name of an
 * array, or a file; without it an array called labels, label or y is taken.
 */
export async function arraysAsData(
  name: string,
  arrays: ReadonlyMap<string, StoredArray>,
  options: OpenOptions,
): Promise<Dataset> {
  const { inputs, labels } = await separateLabels(arrays, options);
  return inputsAsData(name, inputs, labels, options);
}

/** The same for arrays that are all inputs, with labels from elsewhere. */
export function inputsAsData(
  name: string,
  inputs: ReadonlyMap<string, StoredArray>,
  labels: LabelSource | undefined,
  options: OpenOptions,
): Dataset {
  const ports = portList(options.port);
  if (options.preprocess === undefined) {
    return arrayDataset({ name, arrays: inputs, ...(labels && { labels }), ...(ports && { ports }) });
  }
  const [only] = inputs.values();
  const images = inputs.size === 1 && only ? arrayImages(only, labels) : undefined;
  if (images) return imageDataset(images, imageOptions(options), "raw");
  throw new UsageError("a preprocessing is for images, and these arrays are none", {
    expected: "one uint8 array [N, H, W], [N, H, W, C] or [N, C, H, W]",
    got: [...inputs.values()].map(({ dtype, dims }) => `${dtype}[${dims.join(", ")}]`).join(", "),
    where: name,
  });
}

interface Separated {
  readonly inputs: ReadonlyMap<string, StoredArray>;
  readonly labels?: LabelSource;
}

async function separateLabels(arrays: ReadonlyMap<string, StoredArray>, options: OpenOptions): Promise<Separated> {
  if (options.labels !== undefined && !arrays.has(options.labels)) {
    return { inputs: arrays, labels: await labelsAt(options.labels) };
  }
  const ports = portList(options.port);
  const isInput = (name: string) => ports?.some((port) => port.name === name) ?? false;
  const named = options.labels ?? labelNames.find((name) => arrays.size > 1 && arrays.has(name) && !isInput(name));
  if (named === undefined) return { inputs: arrays };
  const inputs = new Map([...arrays].filter(([name]) => name !== named));
  return { inputs, labels: labelsOf(must(arrays, named)) };
}

/** Labels in a file that the user named: npy, IDX, or a list as JSON or one per line. */
export async function labelsAt(path: string): Promise<LabelSource> {
  const extension = extname(path).toLowerCase();
  if (extension === ".npy") return labelsOf(await npyArray(() => openFile(path)));
  if (extension === ".gz" || /-ubyte$|\.idx$/.test(path)) return labelsOf(await idxArray(() => openFile(path)));
  return async (size) => Float64Array.from((await labelsFromFile(path, size, undefined)).labels);
}
