/** @file `lithe prune` as a user runs it. */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodeModel } from "../../src/onnx/index.ts";
import { denseModel } from "../models.ts";
import { pointNetwork, points } from "./points.ts";
import { litheJson } from "./run.ts";

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "litheml-prune-"));
  await writeFile(join(folder, "dense.onnx"), encodeModel(pointNetwork));
  await writeFile(join(folder, "flat.onnx"), encodeModel(denseModel()));
  await writeFile(join(folder, "points.jsonl"), points(200));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const data = ["--data", "points.jsonl", "--calibration-samples", "40", "--eval-samples", "60", "--batch", "20"];

describe("lithe prune", () => {
  it("halves a layer, and wins accuracy back by distillation", async () => {
    const half = ["dense.onnx", "--target-macs", "0.5", "--round", "8", "--allow-slower", ...data];
    const before = await litheJson(["prune", ...half, "-o", "narrow.onnx"], { cwd: folder });
    const learned = ["--finetune", "40", "--learning-rate", "0.01", "--train-batch", "20", "-o", "learned.onnx"];
    const after = await litheJson(["prune", ...half, ...learned], { cwd: folder });
    expect([before.code, after.code]).toEqual([0, 0]);
    expect(after.json).toMatchObject({
      ...{ macs: { before: 144, after: 72 }, training: { samples: 100, epochs: 40 }, file: "learned.onnx" },
      widths: [
        { before: 16, after: 8, held: [] },
        { before: 3, after: 3, held: ["it is an output of the model"] },
      ],
    });
    const [pruned, recovered] = [before, after].map(
      ({ json }) => (json as unknown as { accuracy: { b: number } }).accuracy.b,
    );
    expect(pruned).toBeLessThan(1);
    expect(recovered).toBeGreaterThan(pruned!);
    const page = await readFile(join(folder, "learned-run/report.html"), "utf8");
    expect(page).toContain("1 of 2 widths narrowed: 2.00× fewer multiply-accumulates");
  });

  it.each([
    [["dense.onnx"], 2, /one of --ratio SHARE, --target-macs SHARE and --target-latency SHARE/],
    [["dense.onnx", "--ratio", "0.5", "--target-macs", "0.5"], 2, /got.*2 of them/],
    [["dense.onnx", "--ratio", "0.3", "--round", "8"], 2, /multiple of 8/],
    [["dense.onnx", "--target-macs", "0.01", "--round", "8"], 2, /cannot be reached.*at least 0\.500/],
    [["dense.onnx", "--ratio", "0.5", "--exclude", "nosuch"], 2, /matches no node/],
    [["flat.onnx", "--ratio", "0.5"], 2, /no layer of the model can be narrowed.*output of the model/],
    [["dense.onnx", "--ratio", "0.5", "--finetune", "1"], 2, /--finetune needs data/],
    [["dense.onnx", "--drop-blocks", "1"], 2, /--drop-blocks needs data/],
    [["dense.onnx", "--drop-blocks", "1", ...data], 2, /so many blocks cannot go.*there is none/],
    [["dense.onnx", "--ratio", "0.5", "--dry-run"], 0, /"dryRun":true/],
    [["dense.onnx", "--target-latency", "0.5", "--dry-run"], 0, /"before":16,"after":8/],
  ])("%j ends with code %i and writes nothing", async (args, expected, message) => {
    const before = await readdir(folder);
    const { code, json } = await litheJson(["prune", ...args], { cwd: folder });
    const told = code === 0 ? json : (json as unknown as { error: object }).error;
    expect([code, JSON.stringify(told)]).toEqual([expected, expect.stringMatching(message)]);
    expect(await readdir(folder)).toEqual(before);
  });
});
