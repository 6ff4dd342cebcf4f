import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { PathError, UsageError } from "../../errors.ts";
import { checkOutputFile, checkOutputFolder } from "./output.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "lithe-"));
  await writeFile(join(folder, "file"), "");
  await mkdir(join(folder, "taken.onnx"));
});
afterEach(() => rm(folder, { recursive: true }));

it("accepts what can be written, however deep, and makes nothing", async () => {
  await checkOutputFile(join(folder, "a", "b", "model.onnx"), [join(folder, "model.onnx")]);
  await checkOutputFile(join(folder, "file"));
  await checkOutputFolder(join(folder, "a", "b"));
  await checkOutputFolder("new-folder-of-a-relative-path");
  expect((await readdir(folder)).sort()).toEqual(["file", "taken.onnx"]);
});

it("refuses a folder, a path through a file, and the source itself", async () => {
  await expect(checkOutputFile(join(folder, "taken.onnx"))).rejects.toBeInstanceOf(UsageError);
  await expect(checkOutputFile(join(folder, "x", "..", "file"), [join(folder, "file")])).rejects.toThrow(/its source/);
  await expect(checkOutputFile(join(folder, "file", "model.onnx"))).rejects.toBeInstanceOf(PathError);
  await expect(checkOutputFolder(join(folder, "file"))).rejects.toBeInstanceOf(PathError);
  await expect(checkOutputFolder(join(folder, "file", "deep", "er"))).rejects.toBeInstanceOf(PathError);
});
