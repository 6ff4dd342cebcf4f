/** @file `lithe accelerate --prune --finetune` as a user runs it. */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { encodeModel } from "../../src/onnx/index.ts";
import { pointNetwork, points } from "./points.ts";
import { litheJson } from "./run.ts";

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "litheml-chains-"));
  await writeFile(join(folder, "dense.onnx"), encodeModel(pointNetwork));
  await writeFile(join(folder, "points.jsonl"), points(200));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

it("a chain of pruning and recovery is a candidate with figures, trained on what neither chooses nor verifies", async () => {
  const data = ["--data", "points.jsonl", "--calibration-samples", "40", "--eval-samples", "160", "--batch", "10"];
  const learned = [
    "--prune",
    "0.5",
    "--round",
    "8",
    "--finetune",
    "40",
    "--learning-rate",
    "0.01",
    "--train-batch",
    "20",
  ];
  const rest = ["--max-drop", "0", "--check-ep", "none", "--budget", "10m", "-o", "out"];
  const few = await litheJson(["accelerate", "dense.onnx", ...data, ...learned, ...rest], { cwd: folder });
  expect([few.code, JSON.stringify(few.json)]).toEqual([2, expect.stringContaining("no samples left to train on")]);

  const enough = data.map((word) => (word === "160" ? "100" : word));
  const { code, json } = await litheJson(["accelerate", "dense.onnx", ...enough, ...learned, ...rest], { cwd: folder });
  expect(code).toBe(0);
  const { candidates } = json as unknown as { candidates: { form: string; latency?: object; accuracy?: object }[] };
  const chain = candidates.find(({ form }) => form === "prune 0.5 rounded 8 → recover 40 epochs");
  expect(chain).toMatchObject({ latency: expect.anything(), accuracy: expect.anything() });
  const page = await readFile(join(folder, "out/report.html"), "utf8");
  expect(page).toContain("prune 0.5 rounded 8 → recover 40 epochs");
  const report = JSON.parse(await readFile(join(folder, "out/report.json"), "utf8"));
  expect(report.command).toMatch(/--prune 0\.5 .*--finetune 40 /);
  const left = await readdir(join(folder, "out"));
  for (const name of ["checkpoints", "kept"]) expect(left).not.toContain(name);
});
