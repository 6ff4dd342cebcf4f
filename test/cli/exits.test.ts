/** @file `lithe exits` as a user runs it. */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { random } from "../../src/data/index.ts";
import { allNodes } from "../../src/ir/index.ts";
import { mlp } from "../../src/models/index.ts";
import { linear, network } from "../../src/nn/index.ts";
import { decodeModel, encodeModel } from "../../src/onnx/index.ts";
import { denseModel } from "../models.ts";
import { points, WIDTH } from "./points.ts";
import { litheJson } from "./run.ts";

const deep = mlp(random(3), { input: [WIDTH], hidden: [24, 24, 24], classes: 3 });

/** The same kind of network with probabilities at its end. */
const likely = network(random(4), (n) => {
  let y = n.input("x", "float32", ["batch", WIDTH]);
  for (let i = 0; i < 3; i++) y = n.relu(linear(n.scope(`layer${i}`), y, 24));
  n.output(n.softmax(linear(n.scope("head"), y, 3), -1), "likely");
});

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "litheml-exits-"));
  const files = { "deep.onnx": deep, "likely.onnx": likely, "flat.onnx": denseModel() };
  for (const [name, model] of Object.entries(files)) await writeFile(join(folder, name), encodeModel(model));
  await writeFile(join(folder, "points.jsonl"), points(400, deep));
  await writeFile(join(folder, "likely.jsonl"), points(300, likely).replaceAll(/,"label":\d/g, ""));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const parts = ["--calibration-samples", "80", "--eval-samples", "60"];

interface Told {
  readonly exits: readonly { readonly at: string; readonly threshold: number | null }[];
  readonly taken: readonly number[];
  readonly chosen: { readonly shares: readonly number[]; readonly accuracy: number };
}

describe("lithe exits", () => {
  it("gives a classifier exits that are chosen on other samples than those that verify", async () => {
    const learning = ["--epochs", "60", "--drop", "0.05", "--allow-slower", "--max-drop", "0.3"];
    const args = ["deep.onnx", "--data", "points.jsonl", ...parts, ...learning, "-o", "early.onnx"];
    const { code, json } = await litheJson(["exits", ...args], { cwd: folder });
    expect([code, json]).toMatchObject([0, { file: "early.onnx", broken: [], accuracy: { a: 1 } }]);
    const { exits, taken, chosen } = json as unknown as Told;
    expect(exits).toHaveLength(2);
    expect(chosen.accuracy).toBeGreaterThanOrEqual(0.95);
    const shares = [taken, chosen.shares].map((list) => list.reduce((sum, share) => sum + share));
    for (const sum of shares) expect(sum).toBeCloseTo(1, 9);
    for (const [list, count] of [
      [taken, 60],
      [chosen.shares, 80],
    ] as const)
      for (const share of list) expect((share * count) % 1).toBeCloseTo(0, 6);
    expect(taken[2]).toBeLessThan(1);
    const { graph } = decodeModel(await readFile(join(folder, "early.onnx")));
    expect(graph.outputs.map(({ name }) => name)).toEqual(deep.graph.outputs.map(({ name }) => name));
    expect(
      [...allNodes(decodeModel(await readFile(join(folder, "early.onnx"))))].map(({ opType }) => opType),
    ).toContain("If");
    const page = await readFile(join(folder, "early-run/report.html"), "utf8");
    expect(page).toMatch(/Where samples leave<\/h2><svg/);
  });

  it("takes samples without labels and answers with probabilities where the original does", async () => {
    const learning = ["--exits", "1", "--epochs", "40", "--drop", "0.1", "--allow-slower", "--finetune", "1"];
    const args = ["likely.onnx", "--data", "likely.jsonl", ...parts, ...learning, "-o", "sure.onnx"];
    const { code, json } = await litheJson(["exits", ...args], { cwd: folder });
    expect([code, json]).toMatchObject([0, { file: "sure.onnx", training: { epochs: 1 }, agreement: {} }]);
    const { perOutput } = (json as unknown as { agreement: { perOutput: readonly { name: string; maxAbs: number }[] } })
      .agreement;
    expect(perOutput.map(({ name }) => name)).toEqual(["likely"]);
    expect(perOutput[0]?.maxAbs).toBeLessThanOrEqual(1);
  });

  it.each([
    [["deep.onnx"], 2, /lithe exits needs data/],
    [["deep.onnx", "--data", "points.jsonl", "--exits", "9"], 2, /no room for so many exits.*1 to 3/],
    [["flat.onnx", "--data", "random"], 2, /needs data/],
    [["deep.onnx", "--data", "points.jsonl", "--dry-run"], 0, /"dryRun":true.*"depth"/],
  ])("%j ends with code %i and writes nothing", async (args, expected, message) => {
    const before = await readdir(folder);
    const { code, json } = await litheJson(["exits", ...args], { cwd: folder });
    const told = code === 0 ? json : (json as unknown as { error: object }).error;
    expect([code, JSON.stringify(told)]).toEqual([expected, expect.stringMatching(message)]);
    expect(await readdir(folder)).toEqual(before);
  });
});
