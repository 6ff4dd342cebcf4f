/** @file Labels that stand beside the data: a list in the order of the samples, or pairs of file name and label. */
import { DataError, ensure, FormatError } from "../errors.ts";
import { checkLabels } from "../ir/index.ts";
import { splitCsvLine } from "./formats/csv-line.ts";
import { parseJson } from "./json.ts";
import { parseNumber } from "./number-text.ts";

/** A class by index or by name, or a number to learn. */
export type Label = number | string;

export interface LabelledFile {
  readonly file: string;
  readonly label: Label;
}

/** `[{ "file", "class" | "label" }, …]`, `{ "file": label, … }`, or lines `file,label` (comma, tab or space). */
export function parseLabelledFiles(text: string, where: string): readonly LabelledFile[] {
  const files = startsAsJson(text) ? fromJson(parseJson(text, where), where) : fromLines(text, where);
  ensure(files.length > 0, () => new DataError("the index names no file", { where }));
  const names = new Set<string>();
  for (const { file } of files) {
    ensure(
      !names.has(file),
      () => new FormatError("the index names a file twice", { got: JSON.stringify(file), where }),
    );
    names.add(file);
  }
  return files;
}

/** `[label, …]` or one label per line. */
export function parseLabelList(text: string, where: string): readonly Label[] {
  if (!startsAsJson(text)) return contentLines(text).map((line, i) => labelOf(line.trim(), `${where}, line ${i + 1}`));
  const value = parseJson(text, where);
  ensure(Array.isArray(value), () => new FormatError("the labels are no list", { expected: "a JSON array", where }));
  return (value as unknown[]).map((item, i) => labelOf(item, `${where}, item ${i}`));
}

/** A list of class names: a JSON array of strings, or one name per line. */
export function parseClasses(text: string, where: string): readonly string[] {
  const value: unknown = startsAsJson(text) ? parseJson(text, where) : contentLines(text);
  const fine = Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === "string");
  ensure(fine, () => new FormatError("the class names are no list of strings", { where }));
  return value as string[];
}

export interface NumberedLabels {
  readonly labels: readonly number[];
  readonly classes?: readonly string[];
}

/** Class names become their index in `classes`, or in the sorted set of all names where none are given. */
export function numberLabels(
  labels: readonly Label[],
  classes: readonly string[] | undefined,
  where: string,
): NumberedLabels {
  const names = labels.filter((label): label is string => typeof label === "string");
  ensure(names.length === 0 || names.length === labels.length, () => mixedLabels(labels, names.length, where));
  if (names.length === 0)
    return { labels: withinClasses(labels as readonly number[], classes, where), ...(classes && { classes }) };
  const known = classes ?? [...new Set(names)].sort();
  const index = new Map(known.map((name, i) => [name, i]));
  const numbered = names.map((name) => {
    const label = index.get(name);
    if (label === undefined) throw new DataError("a label names no class", { got: JSON.stringify(name), where });
    return label;
  });
  return { labels: numbered, classes: known };
}

/** Tells the first label of the smaller kind. */
function mixedLabels(labels: readonly Label[], names: number, where: string): FormatError {
  const odd = names <= labels.length / 2 ? "string" : "number";
  const position = labels.findIndex((label) => typeof label === odd);
  return new FormatError("the labels mix numbers and names", {
    got: JSON.stringify(labels[position]) ?? "nothing",
    where: `${where}, label ${position}`,
    hint: "Write every label as a number, or every one as a name.",
  });
}

function withinClasses(
  labels: readonly number[],
  classes: readonly string[] | undefined,
  where: string,
): readonly number[] {
  if (classes) checkLabels(labels, { kind: "classes", count: classes.length }, (i) => `${i} of ${where}`);
  return labels;
}

function fromJson(value: unknown, where: string): LabelledFile[] {
  if (Array.isArray(value)) return value.map((item, i) => fromRecord(item, `${where}, item ${i}`));
  if (typeof value === "object" && value !== null) {
    return Object.entries(value).map(([file, label]) => ({
      file,
      label: labelOf(label, `${where}, ${JSON.stringify(file)}`),
    }));
  }
  throw new FormatError("the index is neither a list nor an object", { where });
}

function fromRecord(item: unknown, where: string): LabelledFile {
  const record = new Map(Object.entries(item ?? {}));
  const file = record.get("file");
  ensure(typeof file === "string", () => new FormatError('an entry lacks "file"', { expected: "a string", where }));
  return { file: file as string, label: labelOf(record.get("class") ?? record.get("label"), where) };
}

function fromLines(text: string, where: string): LabelledFile[] {
  const lines = contentLines(text).map((line, i) => fromLine(line, `${where}, line ${i + 1}`));
  const header = lines[0];
  const isHeader = header && /^(file|filename|image|path)$/i.test(header.file);
  return isHeader ? lines.slice(1) : lines;
}

function fromLine(line: string, where: string): LabelledFile {
  const cells = line.includes(",") ? splitCsvLine(line, where) : line.split(line.includes("\t") ? "\t" : /\s+/);
  const [file, label] = cells;
  ensure(
    cells.length === 2 && file !== undefined && label !== undefined,
    () =>
      new FormatError("a line of the index is not a file and a label", {
        got: JSON.stringify(line.slice(0, 100)),
        where,
      }),
  );
  return { file: file, label: labelOf(label.trim(), where) };
}

function labelOf(value: unknown, where: string): Label {
  if (typeof value === "number") return value;
  if (typeof value === "string" && value !== "") return labelNumber(value) ?? value;
  throw new FormatError("a label is neither a number nor a name", {
    got: JSON.stringify(value) ?? "nothing",
    where,
  });
}

/** The number that a text is; NaN where it says that there is none. */
export function labelNumber(text: string): number | undefined {
  return /^[+-]?nan$/i.test(text) ? Number.NaN : parseNumber(text);
}

function contentLines(text: string): string[] {
  return text.split(/\r?\n/).filter((line) => line.trim() !== "" && !line.startsWith("#"));
}

function startsAsJson(text: string): boolean {
  return /^\s*[[{]/.test(text);
}
