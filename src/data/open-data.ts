/** @file The entry to data on disk; everything that needs Node is loaded when it is called. */
import { checkOptions, type OptionNames } from "../options.ts";
import type { Dataset } from "./dataset.ts";
import type { OpenOptions } from "./node/format.ts";
import { ownRecipe } from "./recipe.ts";

export type { OpenOptions };

const openOptionsNames: OptionNames<OpenOptions> = {
  labels: true,
  port: true,
  columns: true,
  missing: true,
  preprocess: true,
};

/**
 * Opens a folder of pictures, IDX, CIFAR, CSV, npy, npz, safetensors or JSONL; the format follows from the name.
 * Samples are read when they are asked for. What was decided without being told is in `assumptions`. Fails with a
 * `DataError` (missing, unknown or unfitting data), `FormatError`, `LimitError`, `PathError` or `UsageError`.
 */
export async function openData(path: string, options: OpenOptions = {}): Promise<Dataset> {
  checkOptions(options, openOptionsNames);
  const { openPath } = await import("./node/open.ts");
  return { ...(await openPath(path, options)), recipe: ownRecipe("openData", path, options) };
}
