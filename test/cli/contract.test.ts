/** @file What scripts rely on: exit codes, one JSON object on stdout, errors that list what is valid. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { graphBuilder, model, printModel, tensorFromNumbers } from "../../src/ir/index.ts";
import { loadModel } from "../../src/onnx/files.ts";
import { encodeModel } from "../../src/onnx/index.ts";
import { conditionalExports } from "../conditional-exports.ts";
import { root } from "../meta/sources.ts";
import { dispatchModel, loopModel } from "../models.ts";
import { chromium, swiftshader } from "../swiftshader.ts";
import { lithe, litheJson } from "./run.ts";

const folder = mkdtempSync(join(tmpdir(), "lithe-cli-"));
const path = join(folder, "small.onnx");

/** y = x·w, with a name that would clear the screen. */
function smallModel(scale: number): Uint8Array {
  const g = graphBuilder();
  const x = g.input("x", "float32", ["batch", 8]);
  const values = Array.from({ length: 32 }, (_, i) => Math.sin(i) * scale);
  const w = g.constant("w\u001b[2J", tensorFromNumbers("float32", [8, 4], values));
  g.output(g.op("MatMul", [x, w]), "scores");
  return encodeModel(model(g.build()));
}

beforeAll(() => writeFileSync(path, smallModel(1)));
afterAll(() => rmSync(folder, { recursive: true }));

describe("the command line", () => {
  it("has the version of the package", async () => {
    const { version } = JSON.parse(readFileSync(`${root}package.json`, "utf8")) as { version: string };
    expect((await lithe(["--version"])).stdout).toBe(`${version}\n`);
  });

  it("lists its commands, and the options of each", async () => {
    const help = await lithe(["--help"]);
    expect(help.code).toBe(0);
    const names = [...help.stdout.matchAll(/^ {2}(\w+) {2}/gm)].map(([, name]) => name as string);
    expect(names).toContain("accelerate");
    for (const name of names) {
      const own = await lithe([name, "--help"]);
      expect([name, own.code, own.stdout.includes("--json")]).toEqual([name, 0, true]);
    }
  });

  it.each([
    [["nothing"], "accelerate"],
    [["bench", "small.onnx", "--ep", "banana"], "cpu, webgpu, wasm"],
    [["bench", "small.onnx", "--threads", "0"], "1 or more"],
    [["bench", "small.onnx", "--speed"], "--speed"],
    [["bench"], "model"],
    [["bench", ""], "empty"],
    [["quantize", "small.onnx", "--form", "float16", "-o", ""], "--out"],
    [["compare", "small.onnx", "small.onnx", "--preset", "nice", "--data", "random"], "imagenet"],
    [["compare", "small.onnx", "small.onnx", "--preset", "raw", "--data", "random"], "--data PATH of files"],
    [["quantize", "small.onnx", "--form", "dynamic", "--bits", "2"], "--form weight-only; got --form dynamic"],
    [["quantize", "small.onnx", "--form", "float16", "--exclude", "scoers"], '"scores"'],
    [["inspect", "small.onnx", "--dims", "bacth=2"], '"batch"'],
  ])("answers wrong usage %j with exit code 2 and what is valid", async (args, valid) => {
    const { code, json } = await litheJson(args, { cwd: folder });
    expect(code).toBe(2);
    expect(json.error).toMatchObject({ name: "UsageError", message: expect.stringContaining(valid) });
  });

  it("answers work that failed with exit code 1, and leaves nothing behind", async () => {
    writeFileSync(join(folder, "broken.onnx"), "not a model");
    for (const args of [
      ["inspect", "absent.onnx"],
      ["inspect", "broken.onnx"],
      ["bench", "broken.onnx"],
    ]) {
      const { code, json } = await litheJson(args, { cwd: folder });
      expect([args, code]).toEqual([args, 1]);
      expect(json.error).toMatchObject({ name: expect.stringMatching(/^(Path|Format)Error$/) });
    }
    expect(readdirSync(folder).sort()).toEqual(["broken.onnx", "small.onnx"]);
  });

  it("inspects", async () => {
    const { code, json } = await litheJson(["inspect", path]);
    expect(code).toBe(0);
    expect(json).toMatchObject({
      nodes: 2,
      parameters: 32,
      macs: 32,
      inputs: [{ name: "x", type: "float32[batch, 8]" }],
    });
    const text = await lithe(["inspect", path, "--layers"]);
    expect(text.stdout).not.toContain("\u001b");
    const printed = await lithe(["inspect", path, "--text"]);
    expect(printed.stdout).toContain(printModel(await loadModel(path)).trimEnd());
  });

  it("inspects the work that data decide as a range, and counts it on data", async () => {
    const exits = join(folder, "exits.onnx");
    writeFileSync(exits, encodeModel(await conditionalExports["early exit"]!()));
    const data = ["--data", "random", "--eval-samples", "4"];
    const { json } = await litheJson(["inspect", exits, ...data]);
    const { work } = json as unknown as { work: { measured: { mean: number } } };
    const bounds = { least: 3840, most: 13696 };
    expect(work).toMatchObject({ ...bounds, loops: [], measured: { runs: 4, samples: 4, uncountedNodes: 0 } });
    expect(work.measured.mean).toBeGreaterThanOrEqual(bounds.least);
    expect(work.measured.mean).toBeLessThanOrEqual(bounds.most);
    const { stdout } = await lithe(["inspect", exits, ...data]);
    expect(stdout).toMatch(/parameters, 3840 to 13\.7 K multiply-accumulates/);
    expect(stdout).toMatch(/multiply-accumulates a run on average, .*: 4 runs, 4 samples/);
    writeFileSync(exits, encodeModel(loopModel(8)));
    const loop = await lithe(["inspect", exits]);
    expect(loop.stdout).toMatch(/parameters, 0 or more multiply-accumulates/);
    expect(loop.stdout).toMatch(
      /loop loop: 512 multiply-accumulates per iteration; how many there are, the data decide/,
    );
    expect((await litheJson(["inspect", exits])).json.work).toMatchObject({ least: 0, most: null, measured: null });
    rmSync(exits);
  });

  it("benchmarks, and tells time per node", async () => {
    const { code, json } = await litheJson(["bench", path, "--rounds", "5", "--warmup", "1", "--profile"]);
    expect(code).toBe(0);
    expect(json).toMatchObject({ ep: "cpu", threads: 1, rounds: 5, nodes: [{ opType: "MatMul" }] });
  });

  it("times what depends on its data over several inputs, and everything else over one", async () => {
    const exits = join(folder, "exits.onnx");
    writeFileSync(exits, encodeModel(await conditionalExports["early exit"]!()));
    const inputsOf = async (model: string): Promise<number[]> => {
      const bench = await litheJson(["bench", model, "--batch", "1", "--rounds", "40"]);
      const compare = await litheJson(["compare", model, model, "--batch", "1", "--rounds", "6"]);
      expect(compare.json).toMatchObject({ latency: { sessions: 3 } });
      const { latency } = compare.json as { latency?: { inputs: number } };
      return [Number(bench.json.inputs), Number(latency?.inputs)];
    };
    for (const count of await inputsOf(exits)) expect(count).toBeGreaterThan(1);
    expect(await inputsOf(path)).toEqual([1, 1]);
  });

  it("compares, and fails when a stated bound is broken", async () => {
    const other = join(folder, "other.onnx");
    writeFileSync(other, smallModel(-1));
    const same = await litheJson(["compare", path, path, "--rounds", "3", "--min-agreement", "1"]);
    expect(same.code).toBe(0);
    expect(same.json).toMatchObject({
      size: { ratio: 1 },
      latency: { ep: "cpu", threads: 1, batch: 1, spread: expect.any(Array) },
      agreement: { maxAbs: 0, relative: 0, top1: 1 },
    });
    const opposite = await litheJson(["compare", path, other, "--rounds", "3", "--min-agreement", "0.9"]);
    expect(opposite.code).toBe(1);
    expect(opposite.json).toMatchObject({ broken: [expect.stringContaining("agreement")] });
    rmSync(other);
  });
});

describe.skipIf(!chromium || !swiftshader)("verdicts on webgpu [need Chromium; CHROMIUM_PATH names one]", () => {
  const judged = { agreement: { build: expect.stringMatching(/^onnxruntime-web .* in Chromium \d+, adapter/) } };

  it.each([
    ["compare", path, path, "--rounds", "3"],
    ["quantize", path, "--form", "dynamic", "--data", "random", "-o", join(folder, "small8.onnx")],
  ])("are those of a page: %s", async (...words) => {
    const { code, json } = await litheJson([...words, "--ep", "webgpu"], { env: swiftshader! });
    expect([code, json.error]).toEqual([0, undefined]);
    expect(json).toMatchObject({ ...judged, latency: { ep: "webgpu" } });
  });

  it("are refused with the build where a page cannot load the file", async () => {
    const dispatch = join(folder, "dispatch.onnx");
    writeFileSync(dispatch, encodeModel(dispatchModel()));
    const { code, json } = await litheJson(["compare", dispatch, dispatch, "--ep", "webgpu"], { env: swiftshader! });
    expect(code).toBe(1);
    expect(json.error).toMatchObject({ message: expect.stringMatching(/Cast.*onnxruntime-web .* in Chromium/s) });
  });
});
