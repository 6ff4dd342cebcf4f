/** @file `lithe train` and `lithe finetune` as a user runs them. */
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseArguments } from "../../src/cli/arguments.ts";
import type { CommandModule } from "../../src/cli/command.ts";
import { command as finetune } from "../../src/cli/finetune.ts";
import { command as train } from "../../src/cli/train.ts";
import { gates, mlpExpert, moeLayer } from "../../src/conditional/index.ts";
import { random, readSafetensors } from "../../src/data/index.ts";
import { type Model, numbersOf, tensorFromNumbers } from "../../src/ir/index.ts";
import { linear, network } from "../../src/nn/index.ts";
import { decodeModel, encodeModel } from "../../src/onnx/index.ts";
import { evaluate } from "../../src/reference/index.ts";
import { parseTrainingReport } from "../../src/report/parse.ts";
import { applyLora, replaceHead } from "../../src/train/index.ts";
import { lithe, litheJson } from "./run.ts";

let folder: string;
let base: Result;

interface Result {
  readonly file: string;
  readonly report: string;
  readonly steps: number;
  readonly parameters: number;
  readonly stoppedEarly: boolean;
  readonly notes: readonly string[];
  readonly evaluations: readonly { readonly metrics: { readonly loss: number; readonly accuracy: number } }[];
}

async function training(args: readonly string[]): Promise<Result> {
  const { code, json, stderr } = await litheJson(args, { cwd: folder });
  expect([code, code === 0 ? "" : stderr]).toEqual([0, ""]);
  return json as unknown as Result;
}

async function modelAt(name: string): Promise<Model> {
  return decodeModel(await readFile(join(folder, name)));
}

/** Points in two classes that a line divides, or three that two lines divide. */
function samples(classes: number): string {
  const rows = Array.from({ length: 120 }, (_, i) => [Math.sin(i * 12.9), Math.cos(i * 78.2)] as const);
  const label = (sum: number) => Number(sum > 0) + Number(classes === 3 && sum > 0.7);
  return rows.map((row) => JSON.stringify({ inputs: { input: row }, label: label(row[0] + row[1]) })).join("\n");
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "litheml-train-"));
  await writeFile(join(folder, "points.jsonl"), samples(2));
  await writeFile(join(folder, "three.jsonl"), samples(3));
  base = await training(["train", "--model", "mlp", ...common, "--epochs", "8", "-o", "base.onnx"]);
});

afterAll(() => rm(folder, { recursive: true, force: true }));

/** A command in this process, with its files in the folder; it should throw. */
async function refused(name: "train" | "finetune", words: readonly string[]): Promise<unknown> {
  const placed = words.map((word) => (/\.(json|jsonl|onnx)$/.test(word) ? join(folder, word) : word));
  const out = words.includes("-o") ? [] : ["-o", join(folder, "out")];
  const module: CommandModule = { train, finetune }[name];
  const { operands, settings } = parseArguments(name, "", module, [...placed, ...out])!;
  const signal = new AbortController().signal;
  return module.run(operands, settings, { json: true, say: () => undefined, progress: () => undefined, signal });
}

const common = ["--data", "points.jsonl", "--batch", "20", "--learning-rate", "0.01"];

/** Dark and bright pictures of 28×28. */
function pictures(): string {
  const row = (i: number) => ({
    inputs: { input: [Array(28).fill(Array(28).fill((i % 2) + 0.1 * Math.sin(i)))] },
    label: i % 2,
  });
  return Array.from({ length: 20 }, (_, i) => JSON.stringify(row(i))).join("\n");
}

describe("lithe train", () => {
  it("measures the forms of gradients first where it is told to", async () => {
    await writeFile(join(folder, "pictures.jsonl"), pictures());
    const run = [
      "train",
      "--model",
      "lenet",
      "--data",
      "pictures.jsonl",
      "--batch",
      "9",
      "--epochs",
      "1",
      "-o",
      "lenet",
    ];
    const { steps } = await training([...run, "--measure-forms"]);
    expect(steps).toBe(2);
    const table = JSON.parse(await readFile(join(folder, "lenet", "gradient-forms.json"), "utf8"));
    expect(table).toMatchObject({ ep: "cpu", threads: 1, batch: 9 });
    expect(table.rows.map(({ side }: { side: string }) => side).toSorted()).toEqual(["input", "weight", "weight"]);
  });

  it("trains a named network, and that model further", async () => {
    const first = base;
    expect(first).toMatchObject({
      model: "mlp",
      file: "base.onnx",
      parameters: 3 * 256 + 257 * 2,
      steps: 48,
      samples: 108,
    });
    expect(first.evaluations.at(-1)!.metrics.accuracy).toBeGreaterThan(0.8);
    const further = ["--learning-rate", "1e-4", "--epochs", "2", "-o", "b.onnx"];
    const second = await training(["train", "--model", "base.onnx", ...common, ...further]);
    expect(second.evaluations[0]!.metrics.loss).toBeLessThan(first.evaluations[0]!.metrics.loss);
    expect((await modelAt("b.onnx")).graph.outputs.map(({ name }) => name)).toEqual(["logits"]);
  });

  it("takes a configuration, before which flags go, and leaves one that does the same again", async () => {
    const config = {
      model: { name: "mlp", hidden: [8] },
      data: "points.jsonl",
      batch: 20,
      epochs: 9,
      optimizer: { name: "sgd", momentum: 0.9, nesterov: true },
      learningRate: 0.05,
      schedule: { name: "warmup", steps: 2 },
      decayExclude: [],
      accumulate: 2,
      average: 0.5,
      lossScale: { initial: 8 },
      freeze: ["hidden0/bias"],
      earlyStopping: { patience: 20 },
      restoreBest: true,
      seed: 4,
    };
    await writeFile(join(folder, "config.json"), JSON.stringify(config));
    const first = await training(["train", "config.json", "--epochs", "4", "-o", "run"]);
    expect(first).toMatchObject({ file: "run/mlp_trained.onnx", parameters: 2 * 8 + 9 * 2, epochs: 4, seed: 4 });
    const again = await training(["train", "run/config.json", "-o", "again"]);
    expect(again.evaluations).toEqual(first.evaluations);
    expect(await readFile(join(folder, "again/mlp_trained.onnx"))).toEqual(
      await readFile(join(folder, "run/mlp_trained.onnx")),
    );
  });

  it("writes a run folder with a report that tells the curve", async () => {
    const { report: page } = await training(["train", "--model", "mlp", ...common, "--epochs", "2", "-o", "told"]);
    expect(page).toBe("told/report.html");
    const text = await readFile(join(folder, "told/report.json"), "utf8");
    const report = parseTrainingReport(text, "report.json");
    expect(report.curve).toHaveLength(12);
    expect(report.evaluations.map(({ epoch, step }) => [epoch, step])).toEqual([
      [1, 6],
      [2, 12],
    ]);
    expect(report.command).toBe("npx litheml train told/config.json");
    const html = await readFile(join(folder, page), "utf8");
    expect(html).toContain("<svg");
    expect(html).not.toContain("<script");
    await rm(join(folder, page));
    expect((await lithe(["report", "told"], { cwd: folder })).code).toBe(0);
    expect(await readFile(join(folder, page), "utf8")).toBe(html);
  });

  it("trains the gates of a mixture, and reports where the samples went", async () => {
    const mixture = network(random(1), (n) => {
      const x = n.input("input", "float32", ["batch", 2]);
      const layer = { gate: gates.switch(), expert: mlpExpert({ hidden: 4 }), experts: 3 };
      n.output(linear(n.scope("head"), moeLayer(n.scope("moe"), x, layer), 2), "logits");
    });
    await writeFile(join(folder, "mixture.onnx"), encodeModel(mixture));
    await training(["train", "--model", "mixture.onnx", ...common, "--epochs", "3", "-o", "mixed-run"]);
    const { measured = [], curve } = parseTrainingReport(
      await readFile(join(folder, "mixed-run/report.json"), "utf8"),
      "report.json",
    );
    expect(measured.map(({ epoch, probe }) => `${probe} ${epoch}`)).toEqual(["mixtures 1", "mixtures 2", "mixtures 3"]);
    expect(measured[0]!.measurements[0]).toMatchObject({ subject: "moe", name: "load", row: "expert" });
    expect(measured[0]!.measurements[0]!.values).toHaveLength(3);
    const [step] = (await readFile(join(folder, "mixed-run/events.jsonl"), "utf8"))
      .split("\n")
      .filter((line) => line.includes('"type":"step"'));
    expect(Object.keys(JSON.parse(step!).terms)).toContain("moe/auxiliary/balance");
    expect(curve).toHaveLength(18);
  });

  it("augments pictures in threads, and evaluates mixed labels by their class", async () => {
    const picture = (i: number) => [
      Array.from({ length: 8 }, (_, y) => Array.from({ length: 8 }, (_, x) => (x + y + i) % 2)),
    ];
    const lines = Array.from({ length: 40 }, (_, i) => JSON.stringify({ inputs: { input: picture(i) }, label: i % 2 }));
    await writeFile(join(folder, "pictures.jsonl"), lines.join("\n"));
    const data = ["--data", "pictures.jsonl", "--batch", "12", "--epochs", "1", "--loss", "softCrossEntropy"];
    const augment = ["--augment", "cutout,mixup", "--workers", "1"];
    const { evaluations, steps } = await training(["train", "--model", "mlp", ...data, ...augment, "-o", "mixed"]);
    expect(steps).toBe(3);
    expect(evaluations[0]!.metrics.accuracy).toBeGreaterThanOrEqual(0);
  });

  it("resumes from its checkpoint, and not with other settings", async () => {
    const args = ["train", "--model", "mlp", ...common, "--epochs", "2", "-o", "state"];
    const whole = await training(args);
    const again = await training([...args, "--resume"]);
    expect(again.evaluations).toEqual(whole.evaluations);
    expect(again.steps).toBe(whole.steps);
    const other = await lithe([...args, "--resume", "--seed", "9"], { cwd: folder });
    expect([other.code, other.stderr]).toEqual([2, expect.stringContaining("another configuration")]);
  });

  it("refuses what it cannot do, by name", async () => {
    const configuration = async (content: unknown): Promise<string> => {
      const name = `wrong-${JSON.stringify(content).length}.json`;
      await writeFile(join(folder, name), JSON.stringify(content));
      return name;
    };
    const plain = { model: "mlp", data: join(folder, "points.jsonl") };
    for (const [args, message] of [
      [["--data", "points.jsonl"], /needs a model and data.*--model/],
      [["--model", "alexnet", ...common], /no such network.*mlp, lenet/],
      [["--model", "lenet", ...common], /takes square pictures/],
      [["--model", "mlp", ...common, "--optimizer", "adagrad"], /optimizer.*adamw/],
      [["--model", "mlp", ...common, "--precision", "bfloat16"], /no bfloat16 kernels/],
      [["--model", "mlp", ...common, "--augment", "rotate"], /no such augmentation.*randomCrop/],
      [["--model", "mlp", ...common, "--freeze", "tail*"], /no such float initializer.*hidden0/],
      [["--model", "base.onnx", "--data", "points.jsonl", "-o", "base.onnx"], /would replace its source/],
      [[await configuration({ ...plain, epoch: 3 })], /no such setting.*epochs.*"epoch"/],
      [[await configuration({ ...plain, epochs: 0.5 })], /epochs/],
      [[await configuration({ ...plain, model: { name: "mlp", depth: 3 } })], /no such setting.*hidden.*"depth"/],
      [[await configuration({ ...plain, optimizer: { name: "sgd", betas: [0, 1] } })], /no such setting.*momentum/],
      [[await configuration({ ...plain, keepAdapters: "a.safetensors" })], /keepAdapters needs lora/],
      [["absent.json"], /configuration cannot be read/],
    ] as const) {
      await expect(refused("train", args)).rejects.toThrow(message);
    }
    expect(existsSync(join(folder, "out"))).toBe(false);
  });
});

const task = ["--data", "three.jsonl", "--batch", "20", "--learning-rate", "0.03", "--epochs", "4"];

describe("lithe finetune", () => {
  it("says with --json too which weights it does not train", async () => {
    const quantized = network(random(4), (n) => {
      const weight = n.statistic("w", tensorFromNumbers("int8", [2, 2], [1, -2, 3, 4]));
      const scaled = n.op("DequantizeLinear", [weight, n.constant("scale", tensorFromNumbers("float32", [], [0.5]))]);
      const hidden = n.op("MatMul", [n.input("input", "float32", ["batch", 2]), scaled]);
      n.output(linear(n.scope("head"), hidden, 2), "logits");
    });
    await writeFile(join(folder, "quantized.onnx"), encodeModel(quantized));
    const { notes } = await training(["finetune", "quantized.onnx", ...common, "--epochs", "1", "-o", "partly.onnx"]);
    expect(notes).toEqual([
      expect.stringMatching(/^a new head for 2 classes/),
      expect.stringMatching(/^4 of 10 weights are not trained: they are quantized/),
    ]);
  });

  it("gives the model a head for the classes of the data, and trains what is not frozen", async () => {
    const frozen = ["--freeze", "hidden0/*", "-o", "head.onnx"];
    const result = await training(["finetune", "base.onnx", ...task, ...frozen]);
    expect(result.parameters).toBe(257 * 3);
    expect(result.evaluations.at(-1)!.metrics.accuracy).toBeGreaterThan(0.7);
    const [before, after] = [await modelAt("base.onnx"), await modelAt("head.onnx")];
    const weight = ({ graph }: Model) => [...graph.initializers].find(([{ name }]) => name === "hidden0/weight")![1];
    expect(weight(after)).toEqual(weight(before));
  });

  it("keeps adapters apart that make the merged model again", async () => {
    const kept = ["--lora", "2", "--keep-adapters", "adapters.safetensors", "-o", "merged.onnx"];
    const result = await training(["finetune", "base.onnx", ...task, ...kept]);
    expect(result).toMatchObject({ adapters: "adapters.safetensors", parameters: 2 * 2 + 2 * 256 + 257 * 3 });
    const { tensors } = readSafetensors(await readFile(join(folder, "adapters.safetensors")));
    const applied = applyLora(replaceHead(await modelAt("base.onnx"), { classes: 3 }).model, tensors);
    const merged = await modelAt("merged.onnx");
    expect([...merged.graph.initializers.keys()].filter(({ name }) => name.includes("lora"))).toEqual([]);
    const feeds = new Map([["input", tensorFromNumbers("float32", [2, 2], [0.3, -0.2, 0.9, 0.4])]]);
    const logits = (model: Model) => numbersOf(evaluate(model, feeds).get("logits")!);
    for (const [i, x] of logits(merged).entries()) expect(x).toBeCloseTo(logits(applied)[i]!, 5);
  });

  it("keeps the head when told, ends when nothing improves, and says what it cannot do", async () => {
    const still = ["--head", "none", "--learning-rate", "0", "--epochs", "9", "--patience", "1", "-o", "same.onnx"];
    const result = await training(["finetune", "base.onnx", "--data", "points.jsonl", ...still]);
    expect(result.stoppedEarly).toBe(true);
    expect(result.parameters).toBe(3 * 256 + 257 * 2);
    for (const [args, message] of [
      [["--head", "nowhere"], /computes no such value.*"relu"/],
      [["--lora", "1", "--trainable", "head*"], /adapters and the new head are what is trained/],
      [["--lora", "1", "--lora-weights", "tail"], /could carry an adapter.*hidden0\/weight/],
      [["--output", "tail"], /no such output/],
    ] as const) {
      await expect(refused("finetune", ["base.onnx", ...task, ...args])).rejects.toThrow(message);
    }
  });
});
