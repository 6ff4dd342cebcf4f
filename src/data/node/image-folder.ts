/** @file Node only: a folder of pictures, one subfolder per class, or flat, or listed in an index with labels. */

import { basename, extname, join } from "node:path";
import { nth } from "../../checked.ts";
import { DataError, ensure, LimitError, PathError } from "../../errors.ts";
import type { Dataset, Source } from "../dataset.ts";
import { type ImageSample, imageDataset } from "../image-dataset.ts";
import { decodeText } from "../json.ts";
import { numberLabels, parseLabelledFiles } from "../label-file.ts";
import { limits } from "../limits.ts";
import { decodeImage, imageExtensions } from "./decode-image.ts";
import { containedPath, type FolderEntry, listFolder, openContained, openFile, readWhole } from "./files.ts";
import type { DataFormat } from "./format.ts";
import { classesBeside, imageOptions } from "./image-options.ts";

/** Files that are looked for in the folder, best first, when no labels file is named. */
const indexNames = ["index.json", "labels.json", "labels.csv", "labels.tsv", "labels.txt"] as const;

interface Picture {
  /** Relative to the folder, with `/`. */
  readonly file: string;
  readonly label?: number;
}

interface Pictures {
  readonly pictures: readonly Picture[];
  readonly classes?: readonly string[];
  readonly assumptions: readonly string[];
}

export const imageFolder: DataFormat = {
  name: "image folder",
  recognisedBy: "a folder with pictures, with one subfolder of pictures per class, or with index.json",
  options: ["preprocess", "labels", "port"],
  recognises: ({ kind }) => kind === "folder",
  async open({ path }, options): Promise<Dataset> {
    const found = await picturesIn(path, options.labels);
    return imageDataset(pictureSource(path, found), imageOptions(options), "imagenet");
  },
};

async function picturesIn(folder: string, labels: string | undefined): Promise<Pictures> {
  const entries = await listFolder(folder);
  const index = indexNames.find((name) => entries.some((entry) => entry.name === name && entry.kind === "file"));
  if (labels !== undefined) return indexed(labels, await readText(() => openFile(labels), labels), folder);
  if (index) return indexed(index, await readText(() => openContained(join(folder, index)), index), folder);
  refuseLinks(entries);
  const flat = entries.filter(isPicture);
  const folders = entries.filter(({ kind }) => kind === "folder");
  ensure(flat.length === 0 || folders.length === 0, () => bothKinds(folder, flat, folders));
  if (flat.length > 0) return flatFolder(flat, entries);
  const found = await classFolders(folders);
  ensure(found.pictures.length > 0, () => noPictures(folder, entries));
  return found;
}

function flatFolder(flat: readonly FolderEntry[], entries: readonly FolderEntry[]): Pictures {
  const left = leftOut(entries.filter(({ kind }) => kind === "file").length - flat.length);
  return { pictures: flat.map(({ name }) => ({ file: name })), assumptions: left };
}

async function classFolders(folders: readonly FolderEntry[]): Promise<Pictures> {
  const pictures: Picture[] = [];
  let other = 0;
  for (const [label, { name, path }] of folders.entries()) {
    const entries = await listFolder(path);
    refuseLinks(entries);
    const files = entries.filter(isPicture);
    other += entries.length - files.length;
    for (const file of files) pictures.push({ file: `${name}/${file.name}`, label });
    checkCount(pictures.length);
  }
  const assumptions = [
    `the classes are the ${folders.length} subfolders in the order of their names`,
    ...leftOut(other),
  ];
  return { pictures, classes: folders.map(({ name }) => name), assumptions };
}

async function indexed(name: string, text: string, folder: string): Promise<Pictures> {
  const files = parseLabelledFiles(text, name);
  checkCount(files.length);
  const classes = await classesBeside(join(folder, "index.json"));
  const numbered = numberLabels(
    files.map(({ label }) => label),
    classes,
    name,
  );
  const pictures = files.map(({ file }, i) => ({ file, label: nth(numbered.labels, i) }));
  const assumptions = [`the labels come from ${basename(name)}`];
  return { pictures, assumptions, ...(numbered.classes && { classes: numbered.classes }) };
}

function pictureSource(folder: string, { pictures, classes, assumptions }: Pictures): Source<ImageSample> {
  const labelled = pictures.every(({ label }) => label !== undefined);
  return {
    size: pictures.length,
    assumptions,
    ...(classes && { classes }),
    ...(labelled && { labels: async () => pictures.map(({ label }) => label!) }),
    open: () => ({ read: (position) => readPicture(folder, nth(pictures, position)) }),
  };
}

async function readPicture(folder: string, { file, label }: Picture): Promise<ImageSample> {
  const path = await containedPath(folder, file);
  const bytes = await readWhole(() => openContained(path), limits.imageBytes);
  return { image: await decodeImage(bytes, file), ...(label !== undefined && { label }), source: file };
}

async function readText(open: Parameters<typeof readWhole>[0], where: string): Promise<string> {
  return decodeText(await readWhole(open, limits.textBytes), where);
}

function isPicture({ name, kind }: FolderEntry): boolean {
  return kind === "file" && imageExtensions.has(extname(name).toLowerCase());
}

function refuseLinks(entries: readonly FolderEntry[]): void {
  const link = entries.find(({ kind }) => kind === "link");
  ensure(
    link === undefined,
    () =>
      new PathError("a folder of data holds a link", { where: link!.path, hint: "Replace it with the file itself." }),
  );
}

function checkCount(count: number): void {
  ensure(
    count <= limits.samples,
    () => new LimitError("the folder holds too many pictures", { expected: `at most ${limits.samples}` }),
  );
}

function leftOut(count: number): readonly string[] {
  return count === 0
    ? []
    : [`${count} ${count === 1 ? "entry is" : "entries are"} left out because they are no pictures`];
}

function bothKinds(folder: string, flat: readonly FolderEntry[], folders: readonly FolderEntry[]): DataError {
  return new DataError("the folder holds pictures and subfolders", {
    expected: "pictures, or one subfolder per class",
    got: `${flat.length} pictures and ${folders.length} subfolders`,
    where: folder,
    hint: "Name the subfolder, or give an index of files and labels with the labels option.",
  });
}

function noPictures(folder: string, entries: readonly FolderEntry[]): DataError {
  const names = entries.slice(0, 8).map(({ name }) => JSON.stringify(name));
  return new DataError("the folder holds no pictures", {
    expected: [...imageExtensions].join(", "),
    got: names.length === 0 ? "an empty folder" : names.join(", "),
    where: folder,
    hint: "Give one of its files when the data is in another format.",
  });
}
