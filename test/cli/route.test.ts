/** @file `lithe route` as a user runs it. */
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { decodeModel, encodeModel } from "../../src/onnx/index.ts";
import type { TrainingFacts } from "../../src/report/index.ts";
import { denseModel } from "../models.ts";
import { outputName, pointNetwork, points, WIDTH } from "./points.ts";
import { litheJson, startLithe } from "./run.ts";

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "litheml-route-"));
  await writeFile(join(folder, "dense.onnx"), encodeModel(pointNetwork));
  await writeFile(join(folder, "flat.onnx"), encodeModel(denseModel()));
  await writeFile(join(folder, "points.jsonl"), points(200));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** So small a network is no faster routed. */
const slow = "--allow-slower";
const data = ["--data", "points.jsonl", "--calibration-samples", "40", "--eval-samples", "60", "--batch", "20", slow];

describe("lithe route", () => {
  it("copies blocks without a change of the answers", async () => {
    const args = ["dense.onnx", "--experts", "4", "--top-k", "2", ...data, "--max-drop", "0", "-o", "copied.onnx"];
    const { code, json } = await litheJson(["route", ...args], { cwd: folder });
    expect(code).toBe(0);
    expect(json).toMatchObject({ method: "copy", file: "copied.onnx", accuracy: { a: 1, b: 1 }, broken: [] });
    expect(json.blocks).toMatchObject([{ widths: [WIDTH, 16, 3], work: 2 }]);
    const { graph } = decodeModel(await readFile(join(folder, "copied.onnx")));
    expect(graph.outputs.map(({ name }) => name)).toEqual([outputName]);
  });

  it("divides hidden units, and wins accuracy back by distillation", async () => {
    const split = ["dense.onnx", "--experts", "4", "--top-k", "2", "--method", "split", ...data];
    const before = await litheJson(["route", ...split, "-o", "split.onnx"], { cwd: folder });
    const learned = ["--finetune", "40", "--learning-rate", "0.01", "--train-batch", "20", "-o", "learned.onnx"];
    const after = await litheJson(["route", ...split, ...learned], { cwd: folder });
    expect([before.code, after.code]).toEqual([0, 0]);
    expect(after.json).toMatchObject({ training: { samples: 100, epochs: 40 }, file: "learned.onnx" });
    expect(after.json).toMatchObject({ report: "learned-run/report.html" });
    const text = await readFile(join(folder, "learned-run/report.json"), "utf8");
    const { measured, evaluations } = (JSON.parse(text) as { training: Required<TrainingFacts> }).training;
    expect(measured.map(({ epoch }) => epoch)).toEqual(evaluations.map(({ epoch }) => epoch));
    const load = measured.map(({ measurements }) => measurements.find(({ name }) => name === "load")!);
    for (const { values } of load) expect(values.reduce((sum, share) => sum + share)).toBeCloseTo(2, 5);
    expect(measured.at(-1)!.measurements.map(({ name }) => name)).toContain("routing churn");
    expect(await readFile(join(folder, "learned-run/report.html"), "utf8")).toContain('class="heat"');
    const errors = [before, after].map(
      ({ json }) => (json as unknown as { agreement: { relative: number } }).agreement,
    );
    expect(errors[0]!.relative).toBeGreaterThan(0);
    expect(errors[1]!.relative).toBeLessThan(errors[0]!.relative);
  });

  it("goes on with an interrupted distillation, bit for bit", async () => {
    const learning = ["--finetune", "60", "--learning-rate", "0.01", "--train-batch", "10"];
    const job = ["route", "dense.onnx", "--experts", "4", "--method", "split", ...data, ...learning];
    const whole = await litheJson([...job, "-o", "whole.onnx"], { cwd: folder });
    expect([whole.code, await readdir(join(folder, "whole-run"))]).toEqual([
      0,
      expect.not.arrayContaining(["checkpoints", "kept"]),
    ]);
    const running = startLithe([...job, "-o", "part.onnx", "--json"], { cwd: folder });
    await running.matches(/"stage":"distil","done":\d\d/);
    running.kill("SIGINT");
    const { code, stdout } = await running.finished;
    expect(code).toBe(130);
    expect(JSON.parse(stdout)).toMatchObject({ error: { hint: expect.stringMatching(/kept in part-run.*--resume/) } });
    expect(existsSync(join(folder, "part-run/checkpoints/checkpoint.json"))).toBe(true);
    const rest = await litheJson([...job, "-o", "part.onnx", "--resume"], { cwd: folder });
    expect(rest.code).toBe(0);
    const [one, other] = await Promise.all(["whole", "part"].map((name) => readFile(join(folder, `${name}.onnx`))));
    expect(one!.equals(other!)).toBe(true);
    const events = (await readFile(join(folder, "part-run/events.jsonl"), "utf8")).trim().split("\n");
    const starts = events.map((line) => JSON.parse(line)).filter(({ type }) => type === "start");
    expect(starts.map(({ resumedFrom }) => resumedFrom > 0)).toEqual([false, true]);
  });

  it.each([
    [["dense.onnx", "--experts", "4", "--top-k", "5"], 2, /1 to 4.*k = 5/],
    [["dense.onnx", "--experts", "5", "--method", "split"], 2, /cannot be divided.*divides 16/],
    [["flat.onnx", "--experts", "2"], 1, /no feed-forward block/],
    [["dense.onnx", "--experts", "2", "--finetune", "1"], 2, /--finetune needs data/],
    [["dense.onnx", "--experts", "2", "--dry-run"], 0, /"dryRun":true/],
  ])("%j ends with code %i and writes nothing", async (args, expected, message) => {
    const before = await readdir(folder);
    const { code, json } = await litheJson(["route", ...args], { cwd: folder });
    const told = code === 0 ? json : (json as unknown as { error: object }).error;
    expect([code, JSON.stringify(told)]).toEqual([expected, expect.stringMatching(message)]);
    expect(await readdir(folder)).toEqual(before);
  });
});
