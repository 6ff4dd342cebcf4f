/** @file `lithe metaprune` as a user runs it. */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodeModel } from "../../src/onnx/index.ts";
import { pointNetwork, points } from "./points.ts";
import { litheJson, startLithe } from "./run.ts";

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "litheml-metaprune-"));
  await writeFile(join(folder, "dense.onnx"), encodeModel(pointNetwork));
  await writeFile(join(folder, "points.jsonl"), points(200));
  const unlabelled = points(200)
    .split("\n")
    .map((line) => JSON.stringify({ inputs: JSON.parse(line).inputs }));
  await writeFile(join(folder, "unlabelled.jsonl"), unlabelled.join("\n"));
});
afterAll(() => rm(folder, { recursive: true }));

const data = ["--data", "points.jsonl", "--calibration-samples", "20", "--eval-samples", "60", "--batch", "20"];
const half = ["dense.onnx", "--target-macs", "0.5", "--round", "1", ...data];
const brief = ["--supernet-epochs", "5", "--train-batch", "20", "--population", "3", "--generations", "1"];

describe("lithe metaprune", () => {
  it("finds widths within the limit and trains them anew", async () => {
    const { code, json } = await litheJson(
      ["metaprune", ...half, ...brief, "--epochs", "60", "--learning-rate", "0.02", "-o", "found.onnx"],
      { cwd: folder },
    );
    expect(code).toBe(0);
    expect(json).toMatchObject({ file: "found.onnx", training: { samples: 120, epochs: 60 } });
    const { macs, widths, trials, accuracy } = json as unknown as {
      macs: { before: number; after: number };
      widths: { after: number }[];
      trials: { widths: number[]; macs: number }[];
      accuracy: { b: number };
    };
    expect(macs.before).toBe(144);
    expect(macs.after).toBeLessThanOrEqual(72);
    expect(trials.length).toBeGreaterThanOrEqual(3);
    expect(trials.map((trial) => trial.widths[0])).toContain(widths[0]!.after);
    expect(accuracy.b).toBeGreaterThan(0.6);
    const page = await readFile(join(folder, "found-run/report.html"), "utf8");
    expect(page).toContain("The best accuracy so far over candidates");
  });

  it("goes on where it was interrupted, to the same network", async () => {
    const words = [...half, ...brief, "--epochs", "5"];
    const whole = await litheJson(["metaprune", ...words, "-o", "whole.onnx"], { cwd: folder });
    expect(whole.code).toBe(0);
    const started = startLithe(["metaprune", ...words, "-o", "again.onnx"], { cwd: folder });
    await started.matches(/supernet/);
    started.kill("SIGINT");
    const { code, stderr } = await started.finished;
    expect([code, stderr]).toEqual([130, expect.stringMatching(/state of the training is kept.*--resume/)]);
    const again = await litheJson(["metaprune", ...words, "--resume", "-o", "again.onnx"], { cwd: folder });
    expect(again.code).toBe(0);
    const bytes = (name: string) => readFile(join(folder, name));
    expect(await bytes("again.onnx")).toEqual(await bytes("whole.onnx"));
  });

  it.each([
    [["dense.onnx", ...data], 2, /one of --target-macs SHARE and --target-latency SHARE.*none/],
    [[...half, "--target-latency", "0.5"], 2, /one of --target-macs.*both/],
    [["dense.onnx", "--target-macs", "0.5"], 2, /chosen and trained on samples.*--data PATH/],
    [["dense.onnx", "--target-macs", "0.5", "--data", "random"], 2, /--data PATH.*got.*random/],
    [
      ["dense.onnx", "--target-macs", "0.5", ...data.with(1, "unlabelled.jsonl")],
      2,
      /labelled samples.*without labels/,
    ],
    [[...half, "--exclude", "*"], 2, /no layer of the model has widths.*excluded by name/],
    [[...half.with(2, "0.01")], 2, /cannot be reached.*at least 0\.\d+/],
    [[...half, "--dry-run"], 0, /"dryRun":true/],
  ])("%j ends with code %i and writes nothing", async (args, expected, message) => {
    const before = await readdir(folder);
    const { code, json } = await litheJson(["metaprune", ...args], { cwd: folder });
    const told = code === 0 ? json : (json as unknown as { error: object }).error;
    expect([code, JSON.stringify(told)]).toEqual([expected, expect.stringMatching(message)]);
    expect(await readdir(folder)).toEqual(before);
  });
});
