/** @file Where a technique's result goes, checked before any work. */
import { basename } from "node:path";
import { lastOf } from "../../checked.ts";
import { UsageError } from "../../errors.ts";
import { checkOutputFile, checkOutputFolder, runFolderOf } from "../run/output.ts";
import type { SharedSettings } from "./settings.ts";

export interface TechniqueTarget {
  readonly path: string;
  /** Files of the models beside it. */
  readonly others: readonly string[];
  /** Of the model's file. */
  readonly name: string;
  /** The `.onnx` file to write. */
  readonly out: string;
  /** The folder of the run. */
  readonly run: string;
}

/** @throws UsageError for a place that holds what the work reads, or is no `.onnx` file; PathError for one that cannot be written to */
export async function checkedTarget(
  paths: readonly string[],
  suffix: string,
  shared: SharedSettings,
): Promise<TechniqueTarget> {
  const path = lastOf(paths);
  const others = paths.slice(0, -1);
  const { out = `${path.replace(/\.onnx$/, "")}${suffix}.onnx`, data, labels, preprocess } = shared;
  if (!out.endsWith(".onnx")) throw new UsageError("the result is an .onnx file", { got: out });
  const run = runFolderOf(out);
  await checkOutputFile(out, [path, ...others, data, labels, preprocess]);
  await checkOutputFolder(run);
  return { path, others, name: basename(path), out, run };
}
