import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { FormatError } from "../errors.ts";
import { graphBuilder, model } from "../ir/index.ts";
import { encodeModel } from "./encode.ts";
import { loadModel } from "./files.ts";
import { foreignFile } from "./foreign-file.ts";

const folder = mkdtempSync(join(tmpdir(), "lithe-foreign-"));
afterAll(() => rmSync(folder, { recursive: true }));

it.each([
  ["", "an empty file"],
  ["PK\x03\x04\x14", "a zip archive"],
  ["\x80\x02}q", "a Python pickle"],
  ["\x1c\0\0\0TFL3", "a TensorFlow Lite model"],
  ['\x40\0\0\0\0\0\0\0{"w":', "a safetensors file"],
  ["# My model\nIt is good.", "a text file"],
  ["<!DOCTYPE html>", "a web page"],
  ["version https://git-lfs.github.com/spec/v1\n", "the pointer of a file in Git LFS"],
])("a file that begins with %j is said to be %s, with its name", async (text, what) => {
  const path = join(folder, "model.onnx");
  writeFileSync(path, Buffer.from(text, "latin1"));
  const error = await loadModel(path).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(FormatError);
  expect(error).toMatchObject({
    where: path,
    got: expect.stringContaining(what),
    hint: expect.stringMatching(/\.$|\?$/),
  });
});

it("a model is nothing else", () => {
  const g = graphBuilder();
  g.output(g.op("Neg", [g.input("x", "float32", [2])]), "y");
  expect(foreignFile(encodeModel(model(g.build())))).toBeUndefined();
});
