/** @file `lithe train` as a user runs it. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { decodeModel } from "../../src/onnx/index.ts";
import { lithe, litheJson } from "./run.ts";

let folder: string;

interface Result {
  readonly steps: number;
  readonly evaluations: readonly { readonly metrics: { readonly loss: number; readonly accuracy: number } }[];
}

async function train(args: readonly string[]): Promise<Result> {
  const { code, json } = await litheJson(["train", ...args], { cwd: folder });
  expect(code).toBe(0);
  return json as unknown as Result;
}

/** Two classes that a line divides. */
function samples(): string {
  const rows = Array.from({ length: 120 }, (_, i) => [Math.sin(i * 12.9), Math.cos(i * 78.2)] as const);
  return rows.map((row) => JSON.stringify({ inputs: { input: row }, label: row[0] + row[1] > 0 ? 1 : 0 })).join("\n");
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "litheml-train-"));
  await writeFile(join(folder, "points.jsonl"), samples());
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const common = ["--data", "points.jsonl", "--batch", "20", "--learning-rate", "0.01"];

describe("lithe train", () => {
  it("trains a named network, and that model further", async () => {
    const first = await train(["--model", "mlp", ...common, "--epochs", "8", "-o", "a.onnx"]);
    expect(first).toMatchObject({
      model: "mlp",
      file: "a.onnx",
      parameters: 3 * 256 + 257 * 2,
      steps: 48,
      samples: 108,
    });
    expect(first.evaluations.at(-1)!.metrics.accuracy).toBeGreaterThan(0.8);
    const second = await train([
      "--model",
      "a.onnx",
      ...common,
      "--learning-rate",
      "1e-4",
      "--epochs",
      "2",
      "-o",
      "b.onnx",
    ]);
    expect(second.evaluations[0]!.metrics.loss).toBeLessThan(first.evaluations[0]!.metrics.loss);
    const trained = decodeModel(await readFile(join(folder, "b.onnx")));
    expect(trained.graph.outputs.map(({ name }) => name)).toEqual(["logits"]);
  });

  it("resumes from its checkpoint", async () => {
    const args = ["--model", "mlp", ...common, "--epochs", "2", "--checkpoint", "state", "-o", "c.onnx"];
    const whole = await train(args);
    const again = await train([...args, "--resume"]);
    expect(again.evaluations).toEqual(whole.evaluations);
    expect(again.steps).toBe(whole.steps);
  });

  it("refuses what it cannot do, by name", async () => {
    for (const [args, message] of [
      [["train", "--data", "points.jsonl"], /needs --model and --data/],
      [["train", "--model", "alexnet", ...common], /no such network/],
      [["train", "--model", "lenet", ...common], /takes square pictures/],
      [["train", "--model", "mlp", ...common, "--resume"], /resume needs checkpoint/],
      [["train", "--model", "mlp", ...common, "--optimizer", "adagrad"], /optimizer/],
    ] as const) {
      const { code, stderr } = await lithe(args, { cwd: folder });
      expect(stderr).toMatch(message);
      expect(code).toBeGreaterThan(0);
    }
  });
});
