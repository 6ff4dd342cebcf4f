/** @file Node only: the options of image formats, and class names and labels that lie beside the data. */
import { dirname, join } from "node:path";
import { DataError, ensure } from "../../errors.ts";
import type { InputPort } from "../dataset.ts";
import type { ImageOptions } from "../image-dataset.ts";
import { decodeText } from "../json.ts";
import { type NumberedLabels, numberLabels, parseClasses, parseLabelList } from "../label-file.ts";
import { limits } from "../limits.ts";
import { isRegularFile, openContained, openFile, readWhole } from "./files.ts";
import { type OpenOptions, portList } from "./format.ts";

/** The image options for the one input that images can feed. */
export function imageOptions(options: OpenOptions): ImageOptions {
  const port = singlePort(portList(options.port));
  return { ...(options.preprocess !== undefined && { preprocess: options.preprocess }), ...(port && { port }) };
}

function singlePort(ports: readonly InputPort[] | undefined): InputPort | undefined {
  if (!ports) return undefined;
  ensure(
    ports.length === 1,
    () =>
      new DataError("images feed one input, and the model has several", {
        expected: ports.map(({ name }) => JSON.stringify(name)).join(", "),
        hint: "Give the inputs as npz, safetensors or JSONL, keyed by name.",
      }),
  );
  return ports[0];
}

/** The class names in `classes.json` beside a data file or in its folder, when it is there. */
export async function classesBeside(file: string): Promise<readonly string[] | undefined> {
  const path = join(dirname(file), "classes.json");
  if (!(await isRegularFile(path))) return undefined;
  return parseClasses(decodeText(await readWhole(() => openContained(path), limits.textBytes), path), "classes.json");
}

/** The labels in a file that the user named, one per sample. */
export async function labelsFromFile(
  path: string,
  size: number,
  classes: readonly string[] | undefined,
): Promise<NumberedLabels> {
  const text = decodeText(await readWhole(() => openFile(path), limits.textBytes), path);
  const labels = parseLabelList(text, path);
  ensure(
    labels.length === size,
    () =>
      new DataError("the labels do not fit the samples", {
        expected: `${size} labels`,
        got: `${labels.length}`,
        where: path,
      }),
  );
  return numberLabels(labels, classes, path);
}
