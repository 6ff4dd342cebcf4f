/** @file `lithe cascade` as a user runs it. */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { random } from "../../src/data/index.ts";
import {
  floatsOf,
  type Initializer,
  isSparse,
  type Model,
  tensorFromNumbers,
  type Value,
  withGraph,
} from "../../src/ir/index.ts";
import { mlp } from "../../src/models/index.ts";
import { decodeModel, encodeModel } from "../../src/onnx/index.ts";
import { noise } from "../models.ts";
import { outputName, pointNetwork, points, WIDTH } from "./points.ts";
import { litheJson } from "./run.ts";

/** The network with weights that are somewhat wrong, so that its answers are near where classes meet. */
function blurred(model: Model): Model {
  const initializers = [...model.graph.initializers].map(([value, data], i): readonly [Value, Initializer] => {
    if (isSparse(data)) return [value, data];
    const errors = noise(floatsOf(data).length, 20 + i);
    const values = Array.from(floatsOf(data), (x, j) => x + 0.15 * (errors[j] ?? 0));
    return [value, tensorFromNumbers("float32", data.dims, values)];
  });
  return withGraph(model, { ...model.graph, initializers: new Map(initializers) });
}

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "litheml-cascade-"));
  const files = {
    "big.onnx": pointNetwork,
    "small.onnx": blurred(pointNetwork),
    "other.onnx": mlp(random(1), { input: [WIDTH], hidden: [4], classes: 4 }),
  };
  for (const [name, model] of Object.entries(files)) await writeFile(join(folder, name), encodeModel(model));
  await writeFile(join(folder, "points.jsonl"), points(300));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const data = ["--data", "points.jsonl", "--calibration-samples", "150", "--eval-samples", "100"];

describe("lithe cascade", () => {
  it("answers with the small network where that is sure, and with the big one else", async () => {
    const args = ["small.onnx", "big.onnx", ...data, "--drop", "0", "--allow-slower", "-o", "both.onnx"];
    const { code, json } = await litheJson(["cascade", ...args], { cwd: folder });
    expect([code, json]).toMatchObject([0, { file: "both.onnx", broken: [], accuracy: { a: 1 } }]);
    const { exits, taken, chosen } = json as unknown as {
      readonly exits: readonly { readonly accuracy: number }[];
      readonly taken: readonly number[];
      readonly chosen: { readonly accuracy: number };
    };
    expect(exits).toHaveLength(1);
    expect(exits[0]?.accuracy).toBeLessThan(1);
    expect(chosen.accuracy).toBe(1);
    expect(taken[0]).toBeGreaterThan(0);
    expect(taken[1]).toBeGreaterThan(0);
    const { graph } = decodeModel(await readFile(join(folder, "both.onnx")));
    expect(graph.outputs.map(({ name }) => name)).toEqual([outputName]);
    const report = JSON.parse(await readFile(join(folder, "both-run/report.json"), "utf8")) as { command: string };
    expect(report.command).toContain("cascade small.onnx big.onnx");
  });

  it.each([
    [["small.onnx", "big.onnx"], 2, /lithe cascade needs data/],
    [["other.onnx", "big.onnx", ...data], 2, /the same classes/],
    [["small.onnx", "big.onnx", ...data, "-o", "small.onnx"], 2, /would replace its source/],
    [["small.onnx", "big.onnx", ...data, "--dry-run"], 0, /"dryRun":true,"share":1/],
  ])("%j ends with code %i and writes nothing", async (args, expected, message) => {
    const before = await readdir(folder);
    const { code, json } = await litheJson(["cascade", ...args], { cwd: folder });
    const told = code === 0 ? json : (json as unknown as { error: object }).error;
    expect([code, JSON.stringify(told)]).toEqual([expected, expect.stringMatching(message)]);
    expect((await readdir(folder)).filter((name) => !name.endsWith("-run"))).toEqual(
      before.filter((name) => !name.endsWith("-run")),
    );
  });
});
