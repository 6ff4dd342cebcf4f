/** @file `lithe launch`: a training by two ranks is the one of one rank. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { isSparse, maxOf, numbersOf } from "../../src/ir/index.ts";
import { loadModel, saveModel } from "../../src/onnx/files.ts";
import { pointNetwork, points } from "./points.ts";
import { lithe, litheJson } from "./run.ts";

const folder = mkdtempSync(join(tmpdir(), "lithe-launch-"));
afterAll(() => rmSync(folder, { recursive: true }));

const training = ["--model", "small.onnx", "--data", "points.jsonl", "--epochs", "2", "--batch", "20"];
const words = ["train", ...training, "--optimizer", "sgd", "--learning-rate", "0.1"];

async function parametersOf(path: string): Promise<[string, number[]][]> {
  const { graph } = await loadModel(join(folder, path));
  const dense = [...graph.initializers].flatMap(([{ name }, tensor]) =>
    isSparse(tensor) ? [] : [[name, Array.from(numbersOf(tensor), Number)] as [string, number[]]],
  );
  return dense;
}

it("trains what one rank trains, and tells of the exchange", async () => {
  await saveModel(join(folder, "small.onnx"), pointNetwork);
  writeFileSync(join(folder, "points.jsonl"), points(60));
  const [alone, shared] = await Promise.all([
    lithe([...words, "-o", "alone"], { cwd: folder }),
    litheJson(["launch", "-n", "2", "--", ...words, "-o", "shared"], { cwd: folder }),
  ]);
  expect([alone.stderr, alone.code, shared.code]).toEqual([expect.anything(), 0, 0]);
  expect(shared.json).toMatchObject({ file: join("shared", "small_trained.onnx") });
  const [one, two] = [await parametersOf("alone/small_trained.onnx"), await parametersOf("shared/small_trained.onnx")];
  for (const [i, [name, values]] of one.entries()) {
    const other = two[i]?.[1] ?? [];
    const errors = values.map((x, k) => Math.abs(x - (other[k] ?? Number.NaN)));
    expect(maxOf(errors) / (maxOf(values.map(Math.abs)) || 1), name).toBeLessThan(1e-5);
  }
  expect(readFileSync(join(folder, "shared", "report.html"), "utf8")).toContain("bytes sent per update");
});

it("refuses what ranks do not share before any work", async () => {
  const { code, json } = await litheJson(["launch", "--", "bench", "small.onnx"], { cwd: folder });
  expect(code).toBe(2);
  expect(json.error).toMatchObject({ name: "UsageError", message: expect.stringContaining("train or finetune") });
});
