/** @file Every command that writes a model does the same with a file of sparse weights as with one of dense weights. */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseArguments } from "../../src/cli/arguments.ts";
import { commands } from "../../src/cli/commands.ts";
import {
  equalModels,
  graphBuilder,
  isSparse,
  type Model,
  model,
  sparseInitializers,
  tensor,
} from "../../src/ir/index.ts";
import type { Console } from "../../src/job/console.ts";
import { loadModel } from "../../src/onnx/files.ts";
import { decodeModel, encodeModel } from "../../src/onnx/index.ts";
import { builderInference } from "../../src/ops/index.ts";
import { sparsifyModel } from "../../src/prune/index.ts";
import { noise } from "../models.ts";

const WIDTH = 12;
const HIDDEN = 24;

/** Blocks x + relu(x·A)·B of which one weight in ten is not zero. */
function network(): Model {
  const g = graphBuilder({ infer: builderInference(21) });
  const weight = (seed: number, rows: number, columns: number) =>
    g.constant("weight", tensor("float32", [rows, columns], noise(rows * columns, seed)));
  let x = g.input("x", "float32", ["batch", WIDTH]);
  for (let block = 0; block < 4; block++) {
    const hidden = g.op("Relu", [g.op("MatMul", [x, weight(2 * block, WIDTH, HIDDEN)])]);
    x = g.op("Add", [x, g.op("MatMul", [hidden, weight(2 * block + 1, HIDDEN, WIDTH)])]);
  }
  g.output(g.op("MatMul", [x, weight(9, WIDTH, HIDDEN)]), "y");
  return sparsifyModel(model(g.build()), { sparsity: 0.9 }).model;
}

let folder = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "litheml-sparse-"));
  const dense = network();
  for (const [kind, made] of Object.entries({ dense, sparse: sparseInitializers(dense) })) {
    await mkdir(join(folder, kind));
    await writeFile(join(folder, kind, "m.onnx"), encodeModel(made));
  }
  const values = noise(WIDTH * 60, 5);
  const rows = Array.from({ length: 60 }, (_, i) =>
    JSON.stringify({ inputs: { x: [...values.slice(i * WIDTH, (i + 1) * WIDTH)] }, label: i % HIDDEN }),
  );
  await writeFile(join(folder, "points.jsonl"), rows.join("\n"));
});
afterAll(() => rm(folder, { recursive: true }));

const few = ["--calibration-samples", "10", "--eval-samples", "10", "--threads", "1"];
const loose = [...few, "--allow-error", "100"];
const data = ["--data", "{points}"];
const learned = [...data, "--epochs", "1", "--batch", "20", "--threads", "1"];
const searched = ["--supernet-epochs", "1", "--epochs", "1", "--population", "2", "--generations", "1"];

/** The words of each; `{model}` and `{points}` are files, the result is `-o`. */
const runs: Readonly<Record<string, readonly (readonly string[])[]>> = {
  clean: [["{model}", ...few]],
  prune: [
    ["{model}", "--ratio", "0.5", "--round", "1", "--allow-slower", ...loose],
    ["{model}", "--sparsity", "0.95", ...loose],
  ],
  metaprune: [
    ["{model}", "--target-macs", "0.6", "--round", "1", "--train-batch", "20", ...searched, ...data, ...loose],
  ],
  quantize: [
    ["{model}", "--form", "dynamic", ...loose],
    ["{model}", "--form", "static", ...data, ...loose],
    ["{model}", "--form", "weight-only", "--block-size", "16", ...loose],
    ["{model}", "--form", "float16", ...loose],
  ],
  parallelize: [["{model}", "--branches", "2", ...loose]],
  route: [["{model}", "--experts", "2", "--allow-slower", ...loose]],
  exits: [["{model}", "--exits", "1", "--drop", "1", "--allow-slower", ...data, ...loose]],
  cascade: [["{model}", "{model}", "--drop", "1", "--allow-slower", ...data, ...loose]],
  accelerate: [["{model}", "--budget", "10m", "--check-ep", "none", ...data, ...few]],
  train: [["--model", "{model}", ...learned]],
  finetune: [["{model}", "--head", "auto", ...learned]],
  distill: [["--teacher", "{model}", "--student", "{model}", ...learned]],
};

/** Those that need no model of a user's. */
const others = ["demo"];

const quiet: Console = {
  json: true,
  signal: new AbortController().signal,
  say: () => undefined,
  progress: () => undefined,
};

/** What the command says, and the file that it writes. */
async function outcomeOf(name: string, words: readonly string[], kind: string) {
  const place = { "{model}": join(folder, kind, "m.onnx"), "{points}": join(folder, "points.jsonl") };
  const isFolder = ["accelerate", "train", "finetune", "distill"].includes(name);
  const out = await mkdtemp(join(folder, kind, "out-"));
  const placed = words.map((word) => (word in place ? place[word as keyof typeof place] : word));
  const module = await commands[name]!.load();
  const all = [...placed, "-o", isFolder ? join(out, "run") : join(out, "out.onnx")];
  const { operands, settings } = parseArguments(name, "", module, all)!;
  const { result, ok = true } = await module.run(operands, settings, quiet);
  expect(ok, JSON.stringify(result)).toBe(true);
  const at = isFolder ? join(out, "run") : out;
  const file = join(at, (await readdir(at)).find((each) => each.endsWith(".onnx"))!);
  return { result: result as Readonly<Record<string, unknown>>, file };
}

describe("a file of sparse weights", () => {
  it("is given to every command that writes a model", async () => {
    const writing: string[] = [];
    for (const [name, { load }] of Object.entries(commands))
      if ("out" in (await load()).settings.shape && name !== "report") writing.push(name);
    expect([...Object.keys(runs), ...others].sort()).toEqual(writing.sort());
  });

  const each = Object.entries(runs).flatMap(([name, all]) => all.map((words) => ({ name, words })));

  it.each(each)("is worked on by $name $words as the dense one is", async ({ name, words }) => {
    const dense = await outcomeOf(name, words, "dense");
    const sparse = await outcomeOf(name, words, "sparse");
    const [bytes, fewer] = [await readFile(dense.file), await readFile(sparse.file)];
    expect(fewer.length).toBeLessThanOrEqual(bytes.length);
    if (name === "accelerate") {
      const forms = ({ result }: typeof dense) =>
        (result.candidates as readonly { readonly form: string }[]).map(({ form }) => form);
      expect(forms(sparse)).toEqual(expect.arrayContaining(forms(dense).slice(0, 1)));
      return;
    }
    const [a, b] = [await loadModel(dense.file), await loadModel(sparse.file)];
    expect(equalModels(a, b, { preserved: false })).toBeUndefined();
  });

  it("is written sparse again where its zeros are left", async () => {
    const { file } = await outcomeOf("clean", runs.clean![0]!, "sparse");
    const weights = [...decodeModel(await readFile(file)).graph.initializers.values()];
    expect(weights.map(isSparse)).toEqual(weights.map(() => true));
    const before = await readFile(join(folder, "sparse/m.onnx"));
    expect((await readFile(file)).length).toBeLessThan(1.1 * before.length);
  });
});
