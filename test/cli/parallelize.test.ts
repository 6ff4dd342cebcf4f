/** @file `lithe parallelize` as a user runs it. */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { numbersOf, tensorFromNumbers } from "../../src/ir/index.ts";
import { decodeModel, encodeModel } from "../../src/onnx/index.ts";
import { surveyBlocks } from "../../src/parallel/index.ts";
import { evaluate } from "../../src/reference/index.ts";
import { noise } from "../models.ts";
import { residualNetwork, WIDTH } from "../residual-networks.ts";
import { lithe, litheJson } from "./run.ts";

const network = residualNetwork({ blocks: 4 });
let folder: string;

/** Points with the class that the network itself gives them. */
function samples(count: number): string {
  const values = noise(count * WIDTH, 9);
  const rows = Array.from({ length: count }, (_, i) => [...values.slice(i * WIDTH, (i + 1) * WIDTH)]);
  const feeds = new Map([["x", tensorFromNumbers("float32", [count, WIDTH], values)]]);
  const scores = [...numbersOf(evaluate(network, feeds).get("y")!)];
  const labelOf = (i: number) => {
    const own = scores.slice(i * WIDTH, (i + 1) * WIDTH);
    return own.indexOf(Math.max(...own));
  };
  return rows.map((x, i) => JSON.stringify({ inputs: { x }, label: labelOf(i) })).join("\n");
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "litheml-parallelize-"));
  await writeFile(join(folder, "serial.onnx"), encodeModel(network));
  await writeFile(
    join(folder, "uneven.onnx"),
    encodeModel(residualNetwork({ blocks: 3, period: 1, hidden: (b) => 4 + b })),
  );
  await writeFile(join(folder, "points.jsonl"), samples(300));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const data = ["--data", "points.jsonl", "--calibration-samples", "40", "--eval-samples", "60", "--batch", "20"];

describe("lithe parallelize", () => {
  it("finds the blocks, chooses by measurement, recovers, verifies and reports", async () => {
    const args = ["--branches", "2", ...data, "--finetune", "3", "--workers", "2", "-o", "out.onnx"];
    const { code, json } = await litheJson(["parallelize", "serial.onnx", ...args], { cwd: folder });
    expect(code).toBe(0);
    expect(json).toMatchObject({
      shape: { branches: 2, group: 1, arrangement: "blocks" },
      depth: { before: 4, after: 2 },
      file: "out.onnx",
      broken: [],
      accuracy: { a: 1, n: 60 },
      spread: { workers: 2, threads: 1, batch: 20 },
      training: { samples: 200, epochs: 3 },
    });
    const { windows, curve } = json as unknown as { windows: unknown[]; curve: { depth: number; accuracy: number }[] };
    expect(windows).toHaveLength(3);
    expect(curve.map(({ depth }) => depth)).toEqual([4, 3, 2]);
    expect(curve[0]!.accuracy).toBe(1);
    const result = decodeModel(await readFile(join(folder, "out.onnx")));
    expect(surveyBlocks(result).runs[0]!.blocks).toHaveLength(2);
    const page = await readFile(join(folder, "out-run/report.html"), "utf8");
    expect(page).toContain("Accuracy against sequential depth");
    expect(page).toMatch(/<svg[^>]*aria-label="Quality over sequential depth"/);
    expect(page).not.toMatch(/<script|https?:/);
    const again = await lithe(["report", "out-run", "-o", "again.html"], { cwd: folder });
    expect([again.code, await readFile(join(folder, "again.html"), "utf8")]).toEqual([0, page]);
  });

  it("leaves blocks in sequence where a depth allows it", async () => {
    const args = ["--branches", "2", "--depth", "3", ...data, "-o", "three.onnx"];
    const { code, json } = await litheJson(["parallelize", "serial.onnx", ...args], { cwd: folder });
    expect([code, json.depth]).toEqual([0, { before: 4, after: 3 }]);
    const { windows } = json as unknown as { windows: { divergence: number; isParallel: boolean }[] };
    const least = Math.min(...windows.map(({ divergence }) => divergence));
    expect(windows.filter(({ isParallel }) => isParallel).map(({ divergence }) => divergence)).toEqual([least]);
  });

  it("fails with exit code 1 where a bound is broken, and writes the report but no model", async () => {
    const args = ["--branches", "4", ...data, "--max-drop", "0", "-o", "broken.onnx"];
    const { code, json } = await litheJson(["parallelize", "serial.onnx", ...args], { cwd: folder });
    expect([code, json.file]).toEqual([1, undefined]);
    expect(json.broken).toEqual([expect.stringMatching(/accuracy falls by/)]);
    const written = await readdir(folder);
    expect([written.includes("broken.onnx"), written.includes("broken-run")]).toEqual([false, true]);
    expect(await readFile(join(folder, "broken-run/report.html"), "utf8")).toContain("The model was not written.");
  });

  it.each([
    [["serial.onnx", "--branches", "3"], 2, /cannot be divided.*multiple of 3 × 1.*runs of 4 blocks/],
    [["serial.onnx", "--branches", "2", "--finetune", "1", "--data", "random"], 2, /--finetune needs data/],
    [["serial.onnx", "--branches", "2", "--workers", "3"], 2, /3/],
    [["uneven.onnx", "--branches", "3"], 1, /no repeated residual blocks.*differ in shape/],
    [["serial.onnx", "--branches", "2", "--dry-run", ...data], 0, /./],
  ])("%j ends with code %i and writes nothing", async (args, expected, message) => {
    const before = await readdir(folder);
    const { code, json } = await litheJson(["parallelize", ...args], { cwd: folder });
    const told = code === 0 ? json : (json as unknown as { error: object }).error;
    expect([code, JSON.stringify(told)]).toEqual([expected, expect.stringMatching(message)]);
    expect(await readdir(folder)).toEqual(before);
  });
});
