/** @file Node only: the options of formats that hold arrays. */
import { UsageError } from "../../errors.ts";
import type { Dataset } from "../dataset.ts";
import { imageDataset } from "../image-dataset.ts";
import { arrayDataset, arrayImages, type StoredArray } from "../stored-array.ts";
import { type OpenOptions, portList } from "./format.ts";
import { imageOptions } from "./image-options.ts";

/** Arrays as tensors; a single 8-bit one as images when a preprocessing is given. */
export function arraysAsData(
  name: string,
  arrays: ReadonlyMap<string, StoredArray>,
  labels: StoredArray | undefined,
  options: OpenOptions,
): Dataset {
  const ports = portList(options.port);
  if (options.preprocess === undefined) {
    return arrayDataset({ name, arrays, ...(labels && { labels }), ...(ports && { ports }) });
  }
  const [only] = arrays.values();
  const images = arrays.size === 1 && only ? arrayImages(only, labels) : undefined;
  if (images) return imageDataset(images, imageOptions(options), "raw");
  throw new UsageError("a preprocessing is for images, and these arrays are none", {
    expected: "one uint8 array [N, H, W], [N, H, W, C] or [N, C, H, W]",
    got: [...arrays.values()].map(({ dtype, dims }) => `${dtype}[${dims.join(", ")}]`).join(", "),
    where: name,
  });
}
