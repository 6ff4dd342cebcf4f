import { mkdtemp, open, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { graphBuilder, model, tensor } from "../../ir/index.ts";
import { fileBytes, inputPorts } from "./model-file.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "lithe-"));
});
afterEach(() => rm(folder, { recursive: true }));

it("a file that is too large to be read again is counted with the data file of its name", async () => {
  const path = join(folder, "large.onnx");
  await (await open(path, "w")).close();
  await truncate(path, 2 ** 26 + 1);
  expect(await fileBytes(path)).toBe(2 ** 26 + 1);
  await writeFile(`${path}.data`, new Uint8Array(100));
  expect(await fileBytes(path)).toBe(2 ** 26 + 101);
});

it("what the model takes are its inputs without those that it has values of", () => {
  const g = graphBuilder();
  const x = g.input("x", "float32", ["n", 3]);
  const ids = g.input("ids", "int64", ["n"]);
  g.output(g.op("Gather", [g.op("Add", [x, g.constant("w", tensor("float32", [3], new Float32Array(3)))]), ids]), "y");
  expect(inputPorts(model(g.build()))).toEqual([
    { name: "x", dtype: "float32", dims: ["n", 3] },
    { name: "ids", dtype: "int64", dims: ["n"] },
  ]);
});
