/** @file Node only: from a path to a dataset. */
import { basename } from "node:path";
import { DataError, UsageError } from "../../errors.ts";
import type { Dataset } from "../dataset.ts";
import { parsePreprocess } from "../presets.ts";
import { dataFileIn } from "./data-folder.ts";
import { kindOf } from "./files.ts";
import type { DataFormat, DataLocation, OpenOptions } from "./format.ts";
import { dataFormats } from "./formats.ts";

/** See `openData` of the package's index. */
export async function openPath(path: string, options: OpenOptions): Promise<Dataset> {
  if (options.preprocess !== undefined) parsePreprocess(options.preprocess);
  const given: DataLocation = { path, name: basename(path).toLowerCase(), kind: await kindOf(path) };
  const inner = given.kind === "folder" ? await dataFileIn(path) : undefined;
  const location = inner ?? given;
  const format = dataFormats.find((candidate) => candidate.recognises(location));
  if (!format) throw unknownFormat(path);
  checkOptions(format, options);
  const data = await format.open(location, options);
  if (!inner) return data;
  return { ...data, assumptions: [`of the folder, ${basename(inner.path)} is read`, ...(data.assumptions ?? [])] };
}

function checkOptions(format: DataFormat, options: OpenOptions): void {
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || format.options.some((known) => known === name)) continue;
    throw new UsageError(`the format ${format.name} has no option "${name}"`, {
      expected: format.options.join(", "),
    });
  }
}

function unknownFormat(path: string): DataError {
  const known = dataFormats.map(({ name, recognisedBy }) => `${name} (${recognisedBy})`);
  return new DataError("the format of the data is not recognised by its name", {
    expected: known.join("; "),
    where: path,
  });
}
