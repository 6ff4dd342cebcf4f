/** @file `lithe clean` as a user runs it. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { formatType, graphBuilder, model, tensorFromNumbers } from "../../src/ir/index.ts";
import { decodeModel, encodeModel } from "../../src/onnx/index.ts";
import { noise } from "../models.ts";
import { lithe, litheJson } from "./run.ts";

let folder: string;

/** A product behind two turns that undo each other, of a matrix that is a sum of constants. */
function clumsy() {
  const g = graphBuilder();
  const x = g.input("x", "float32", [2, 4]);
  const matrix = (name: string) => g.constant(name, tensorFromNumbers("float32", [4, 3], noise(12)));
  const turned = g.op("Transpose", [g.op("Transpose", [x], { perm: [1, 0] })], { perm: [1, 0] });
  g.output(g.op("MatMul", [turned, g.op("Add", [matrix("a"), matrix("b")])]), "y");
  return model(g.build());
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "litheml-clean-"));
  await writeFile(join(folder, "clumsy.onnx"), encodeModel(clumsy()));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

it("writes the same function in fewer nodes, and tells which pass took what", async () => {
  const { code, json } = await litheJson(["clean", "clumsy.onnx"], { cwd: folder });
  expect(code).toBe(0);
  expect(json).toMatchObject({ nodes: { before: 5, after: 1 }, leftOut: [], file: "clumsy_clean.onnx", broken: [] });
  expect(json.operators).toEqual([
    { operator: "Add", before: 1, after: 0 },
    { operator: "Identity", before: 1, after: 0 },
    { operator: "MatMul", before: 1, after: 1 },
    { operator: "Transpose", before: 2, after: 0 },
  ]);
  expect(json.passes).toContainEqual({ pass: "fold-constants", changes: expect.any(Number) });
  const { graph } = decodeModel(await readFile(join(folder, "clumsy_clean.onnx")));
  expect(graph.nodes.map(({ opType }) => opType)).toEqual(["MatMul"]);
  expect(await readFile(join(folder, "clumsy_clean-run/report.html"), "utf8")).toContain("5 → 1 nodes");
});

it("prints every change with --trace, and none without", async () => {
  const printed = async (...words: string[]) =>
    (await lithe(["clean", "clumsy.onnx", ...words, "-o", "other.onnx"], { cwd: folder })).stdout;
  const traced = await printed("--trace");
  expect(traced).toMatch(/^fold-constants.*: .+ \[.+\]$/m);
  expect(traced).toMatch(/^eliminate-noop/m);
  expect(await printed()).not.toMatch(/^fold-constants/m);
});

it("says in a dry run what there is", async () => {
  const { json } = await litheJson(["clean", "clumsy.onnx", "--dry-run"], { cwd: folder });
  expect(json).toMatchObject({ dryRun: true, nodes: { before: 5 }, out: "clumsy_clean.onnx" });
});

it("makes a fixed batch a dim with --dynamic-batch, or says that there is none", async () => {
  const g = graphBuilder();
  const weights = tensorFromNumbers("float32", [4, 3], noise(12));
  g.output(g.op("MatMul", [g.input("x", "float32", [1, 4]), g.constant("w", weights)]), "y");
  await writeFile(join(folder, "single.onnx"), encodeModel(model(g.build())));
  const { code } = await litheJson(["clean", "single.onnx", "--dynamic-batch"], { cwd: folder });
  expect(code).toBe(0);
  const { graph } = decodeModel(await readFile(join(folder, "single_clean.onnx")));
  expect([...graph.inputs, ...graph.outputs].map(({ type }) => formatType(type))).toEqual([
    "float32[batch, 4]",
    "float32[batch, 3]",
  ]);
  const refused = await lithe(["clean", "clumsy.onnx", "--dynamic-batch"], { cwd: folder });
  expect(refused.code).toBe(2);
  expect(refused.stderr).toContain("the model has no fixed batch to lift; expected an input whose first dim is 1");
});
