/** @file `lithe prune` with zeros in the place of narrower layers, as a user runs it. */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bytesOfTensor, denseInitializers } from "../../src/ir/index.ts";
import { decodeModel, encodeModel } from "../../src/onnx/index.ts";
import { masksOf } from "../../src/prune/index.ts";
import { pointNetwork, points } from "./points.ts";
import { litheJson } from "./run.ts";

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "litheml-zeros-"));
  await writeFile(join(folder, "dense.onnx"), encodeModel(pointNetwork));
  await writeFile(join(folder, "points.jsonl"), points(200));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const data = ["--data", "points.jsonl", "--calibration-samples", "40", "--eval-samples", "60", "--batch", "20"];

describe("lithe prune with zeros", () => {
  it("puts zeros into weights, single ones or by a pattern, and keeps them through the distillation", async () => {
    const loose = [...data, "--allow-error", "100"];
    const trained = ["--finetune", "4", "--learning-rate", "0.01", "--train-batch", "20"];
    const runs: readonly (readonly [name: string, args: readonly string[], zeros: number])[] = [
      ["half", ["--sparsity", "0.5"], 72],
      ["pattern", ["--pattern", "1:2", "--criterion", "wanda"], 72],
      ["global", ["--sparsity", "0.5", "--criterion", "taylor", "--ranking", "global"], 72],
      ["blocks", ["--sparsity", "0.5", "--granularity", "block", "--block", "2"], 68],
      ["made-up", ["--sparsity", "0.5", "--reconstruct"], 72],
      ["kept", ["--sparsity", "0.75", ...trained], 108],
      ["grown", ["--sparsity", "0.75", "--schedule", "cubic", ...trained], 108],
      ["rounds", ["--sparsity", "0.75", "--rounds", "3", ...trained], 108],
    ];
    for (const [name, args, zeros] of runs) {
      const { code, json } = await litheJson(["prune", "dense.onnx", ...args, ...loose, "-o", `${name}.onnx`], {
        cwd: folder,
      });
      expect([name, code]).toEqual([name, 0]);
      expect(json).toMatchObject({ elements: 144, zeros: { before: 0, after: zeros }, file: `${name}.onnx` });
      const masks = masksOf(denseInitializers(decodeModel(await readFile(join(folder, `${name}.onnx`)))));
      const found = [...masks.values()].flatMap((mask) => [...bytesOfTensor(mask)]);
      expect(found.filter((kept) => kept === 0)).toHaveLength(zeros);
    }
    const { sections } = JSON.parse(await readFile(join(folder, "rounds-run/report.json"), "utf8"));
    expect(sections.parts[0].rows.map(({ cells }: { cells: number[] }) => cells.slice(0, 2))).toEqual([
      ...[
        [1, 36],
        [2, 72],
        [3, 108],
      ],
    ]);
    expect(await readFile(join(folder, "grown-run/report.html"), "utf8")).toContain(
      "75.0 % of the weights of 2 layers are zeros",
    );
  });

  it.each([
    [["dense.onnx", "--sparsity", "0.5", "--pattern", "2:4"], 2, /one of --sparsity and --pattern.*both/],
    [["dense.onnx", "--sparsity", "0.5", "--ratio", "0.5"], 2, /--ratio has nothing to do.*--sparsity 0\.5/],
    [["dense.onnx", "--sparsity", "0.5", "--round", "4"], 2, /--round has nothing to do.*--sparsity 0\.5/],
    [["dense.onnx", "--ratio", "0.5", "--reconstruct"], 2, /--reconstruct has nothing to do/],
    [["dense.onnx", "--sparsity", "0.5", "--ranking", "isomorphic"], 2, /--ranking local or global/],
    [["dense.onnx", "--sparsity", "0.5", "--criterion", "wanda"], 2, /--criterion wanda needs data/],
    [["dense.onnx", "--pattern", "2:4", "--rounds", "2", ...data, "--finetune", "1"], 2, /no parts of the way/],
    [["dense.onnx", "--pattern", "4:2"], 2, /1 ≤ N < M/],
    [["dense.onnx", "--sparsity", "0.5", "--dry-run"], 0, /"zeros":\{"before":0,"after":72\}/],
  ])("%j ends with code %i and writes nothing", async (args, expected, message) => {
    const before = await readdir(folder);
    const { code, json } = await litheJson(["prune", ...args], { cwd: folder });
    const told = code === 0 ? json : (json as unknown as { error: object }).error;
    expect([code, JSON.stringify(told)]).toEqual([expected, expect.stringMatching(message)]);
    expect(await readdir(folder)).toEqual(before);
  });
});
