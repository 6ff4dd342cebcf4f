/** @file `lithe distill` as a user runs it. */
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { random } from "../../src/data/index.ts";
import type { Model } from "../../src/ir/index.ts";
import { embedding, type Layers, linear, network, transformerBlock } from "../../src/nn/index.ts";
import { encodeModel } from "../../src/onnx/index.ts";
import { parseTrainingReport } from "../../src/report/parse.ts";
import { lithe, litheJson } from "./run.ts";

let folder: string;

interface Result {
  readonly file: string;
  readonly report: string;
  readonly notes: readonly string[];
  readonly steps: number;
  readonly compared: readonly { readonly name: string; readonly metrics: Readonly<Record<string, number>> }[];
}

async function distilled(...words: readonly string[]): Promise<Result> {
  const { code, json, stderr } = await litheJson(["distill", ...words], { cwd: folder });
  expect([code, json.error, code === 0 ? "" : stderr]).toEqual([0, undefined, ""]);
  return json as unknown as Result;
}

async function refusal(...words: readonly string[]): Promise<string> {
  const out = words.includes("-o") ? [] : ["-o", "refused"];
  const { code, json } = await litheJson(["distill", ...words, ...out], { cwd: folder });
  expect(code).toBeGreaterThan(0);
  return (json.error as unknown as { message: string }).message;
}

const row = (i: number) => [Math.sin(i * 12.9), Math.cos(i * 78.2)] as const;

/** Points, in two classes where they are labelled. */
function samples(labelled: boolean): string {
  const label = (i: number) => Number(row(i)[0] + row(i)[1] > 0);
  const lines = Array.from({ length: 120 }, (_, i) => ({
    inputs: { input: row(i) },
    ...(labelled && { label: label(i) }),
  }));
  return lines.map((line) => JSON.stringify(line)).join("\n");
}

interface Net {
  readonly input?: string;
  readonly width?: number;
  readonly size?: number;
  readonly classes?: number;
}

function net(seed: number, { input = "input", width = 8, size = 2, classes = 2 }: Net = {}): Model {
  return network(random(seed), (n: Layers) => {
    const hidden = n.op("Tanh", [linear(n.scope("one"), n.input(input, "float32", ["batch", size]), width)]);
    n.output(linear(n.scope("two"), hidden, classes), "logits");
  });
}

/** An encoder of texts of six words. */
function encoder(depth: number, width: number): Model {
  return network(random(depth), (n: Layers) => {
    const ids = n.input("ids", "int64", ["batch", 6]);
    const start = embedding(n.scope("words"), ids, { vocabulary: 12, width }).value;
    const blocks = Array.from({ length: depth }, (_, i) => n.scope(`block${i}`));
    const last = blocks.reduce((x, block) => transformerBlock(block, x, { heads: 2, hidden: 2 * width }), start);
    n.output(linear(n.scope("head"), n.mean(last, [1]), 2), "logits");
  });
}

/** Texts whose class is whether they begin with a word above 5. */
function texts(): string {
  const word = (i: number, k: number) => 1 + ((7 * i + 3 * k + (i % 3) * k) % 11);
  const lines = Array.from({ length: 40 }, (_, i) => Array.from({ length: 6 }, (_, k) => word(i, k)));
  return lines.map((ids) => JSON.stringify({ inputs: { ids }, label: Number(ids[0]! > 5) })).join("\n");
}

const pair = ["--teacher", "teacher.onnx", "--student", "student.onnx"];
const usual = ["--batch", "20", "--learning-rate", "0.02"];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "litheml-distill-"));
  await writeFile(join(folder, "points.jsonl"), samples(true));
  await writeFile(join(folder, "unlabelled.jsonl"), samples(false));
  await writeFile(join(folder, "text.jsonl"), texts());
  for (const [name, model] of Object.entries({
    start: net(1, { input: "x", width: 16 }),
    student: net(2, { width: 4 }),
    wide: net(3, { size: 3 }),
    assistant: net(6, { width: 8 }),
    large: net(7, { width: 64 }),
    encoder4: encoder(4, 16),
    encoder2: encoder(2, 8),
    many: net(4, { classes: 5 }),
  })) {
    await writeFile(join(folder, `${name}.onnx`), encodeModel(model));
  }
  const renamed = samples(true).replaceAll('"input"', '"x"');
  await writeFile(join(folder, "renamed.jsonl"), renamed);
  const { code } = await lithe(
    ["train", "--model", "start.onnx", "--data", "renamed.jsonl", ...usual, "-o", "teacher.onnx"],
    { cwd: folder },
  );
  expect(code).toBe(0);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("lithe distill", () => {
  it("follows a teacher beside labels, and tells of both on samples that are held out", async () => {
    const { compared, file, notes } = await distilled(...pair, "--data", "points.jsonl", ...usual, "-o", "labelled");
    expect(file).toBe("labelled/student_distilled.onnx");
    expect(notes).toEqual(['follows "teacher.onnx" by softTargets', "labels weigh 1 beside it"]);
    expect(compared.map(({ name }) => name)).toEqual(["teacher", "student before", "student after"]);
    const [teacher, before, after] = compared.map(({ metrics }) => metrics);
    expect(Object.keys(teacher!)).toEqual(["loss", "accuracy"]);
    expect(after!.softTargets).toBeLessThan(0.5 * before!.softTargets!);
    expect(after!.loss).toBeLessThan(before!.loss!);
    const report = parseTrainingReport(await readFile(join(folder, "labelled/report.json"), "utf8"), "report.json");
    expect(report.compared).toEqual(compared);
    const page = await readFile(join(folder, "labelled/report.html"), "utf8");
    expect(page.indexOf("Teacher and student")).toBeGreaterThan(0);
    expect(page).toContain("<td>student before</td>");
  });

  it("needs no labels, and the configuration that it leaves does the same again", async () => {
    const unlabelled = ["--data", "unlabelled.jsonl", ...usual, "--epochs", "3", "--temperature", "2"];
    const { compared, notes } = await distilled(...pair, ...unlabelled, "-o", "free");
    expect(notes[1]).toBe("the data has no labels: the teacher alone is followed");
    expect(compared.map(({ name }) => name)).toEqual(["student before", "student after"]);
    expect(Object.keys(compared[0]!.metrics)).toEqual(["softTargets"]);
    expect(compared[1]!.metrics.softTargets).toBeLessThan(compared[0]!.metrics.softTargets!);
    const again = await litheJson(["train", "free/config.json", "-o", "again"], { cwd: folder });
    expect(again.json.compared).toEqual(compared);
    const ignored = await distilled(
      ...pair,
      "--data",
      "points.jsonl",
      ...usual,
      "--label-weight",
      "0",
      "-o",
      "ignored",
    );
    expect(ignored.notes[1]).toBe("the labels are not read: the teacher alone is followed");
  });

  it("takes several losses, over values by their names, and one that remembers", async () => {
    const losses = ["--loss", "softTargets,features,contrasts", "--pairs", "tanh=tanh", "--epochs", "2"];
    const { compared } = await distilled(...pair, "--data", "points.jsonl", ...usual, ...losses, "-o", "several");
    expect(Object.keys(compared[1]!.metrics)).toEqual(["loss", "accuracy", "softTargets", "features"]);
    const events = await readFile(join(folder, "several/events.jsonl"), "utf8");
    const step = events.split("\n").find((line) => line.includes('"type":"step"'))!;
    expect(Object.keys(JSON.parse(step).terms)).toEqual(["softTargets", "features", "contrasts"]);
  });

  it("keeps the answers of a large teacher, to the same bits, and not of augmented samples", async () => {
    const words = [...pair, "--data", "points.jsonl", ...usual, "--epochs", "2"];
    const live = await distilled(...words, "--cache", "none", "-o", "live");
    const kept = await distilled(...words, "--cache", "float32", "-o", "kept");
    expect(kept.compared).toEqual(live.compared);
    expect(kept.notes.at(-1)).toMatch(/kept in float32/);
    expect(existsSync(join(folder, "kept/answers"))).toBe(false);
    const auto = await distilled(...words.map((word) => (word === "teacher.onnx" ? "large.onnx" : word)), "-o", "auto");
    expect(auto.notes.at(-1)).toMatch(/kept in float32/);
    expect(await refusal(...words, "--cache", "float16", "--augment", "cutout")).toMatch(
      /augmentation changes them.*--cache none/,
    );
  });

  it("teaches by way of assistants and generations, each a stage of its own that is recorded and resumed", async () => {
    const words = [...pair, "--data", "points.jsonl", ...usual, "--epochs", "2", "-o", "chain"];
    const chain = [...words, "--assistant", "assistant.onnx", "--generations", "2"];
    const { compared, file } = await distilled(...chain);
    expect(file).toBe("chain/student_distilled.onnx");
    const stages = ["stage 1, assistant: ", "stage 2, student: ", ""];
    expect(compared.map(({ name }) => name)).toEqual(
      stages.flatMap((stage) => ["teacher", "student before", "student after"].map((who) => `${stage}${who}`)),
    );
    const at = (name: string) => compared.find((each) => each.name === name)!.metrics;
    expect(at("stage 2, student: teacher")).toEqual({
      loss: at("stage 1, assistant: student after").loss,
      accuracy: at("stage 1, assistant: student after").accuracy,
    });
    expect(at("teacher").loss).toBe(at("stage 2, student: student after").loss);
    expect(at("student before").loss).toBe(at("stage 2, student: student before").loss);
    for (const name of ["stage-1/assistant_stage1.onnx", "stage-2/report.html"]) {
      expect(existsSync(join(folder, "chain", name)), name).toBe(true);
    }
    expect((await distilled(...chain, "--resume")).compared).toEqual(compared);
    const named = await refusal(
      ...words.slice(0, -2),
      "--assistant",
      "assistant.onnx",
      "--loss",
      "hints",
      "--pairs",
      "a=b",
    );
    expect(named).toMatch(/--pairs names values of two networks.*--assistant assistant\.onnx/);
  });

  it("follows several teachers, their mean or each by its weight", async () => {
    const both = ["--teacher", "teacher.onnx,assistant.onnx", ...pair.slice(2), "--data", "points.jsonl", ...usual];
    const mean = await distilled(...both, "--epochs", "1", "--teacher-weights", "3,1", "-o", "mean");
    expect(Object.keys(mean.compared[1]!.metrics)).toEqual(["loss", "accuracy", "softTargets"]);
    const each = await distilled(...both, "--epochs", "1", "--combine", "each", "-o", "each");
    expect(Object.keys(each.compared[1]!.metrics)).toEqual(["loss", "accuracy", "softTargets", "softTargets2"]);
    expect(await refusal(...both, "--teacher-weights", "1")).toMatch(/2 weights/);
    expect(await refusal(...pair, "--data", "points.jsonl", "--teacher-weights", "1")).toMatch(
      /weighs several teachers/,
    );
  });

  it("follows a transformer layer by layer, on copies in which words are replaced", async () => {
    const words = ["--teacher", "encoder4.onnx", "--student", "encoder2.onnx", "--data", "text.jsonl", ...usual];
    const layers = ["--loss", "layers", "--label-weight", "0", "--epochs", "4"];
    const { compared, notes } = await distilled(...words, ...layers, "-o", "layers");
    expect(notes[0]).toBe('follows "encoder4.onnx" by embeddings, hidden, attention');
    const [before, after] = compared.map(({ metrics }) => metrics);
    for (const name of ["embeddings", "hidden", "attention"]) expect(after![name], name).toBeLessThan(before![name]!);
    const copied = await distilled(...words, ...layers, "--word-copies", "3", "--layers", "1,3", "-o", "copied");
    const plain = await distilled(...words, ...layers, "-o", "plain");
    expect(copied.steps).toBe(4 * Math.ceil((36 * 4) / 20));
    expect(plain.steps).toBe(4 * Math.ceil(36 / 20));
    expect(await refusal(...words, "--loss", "layers", "--layers", "1,9")).toMatch(/2 layers of the teacher, 1 to 4/);
    expect(await refusal(...words, "--layers", "1,2")).toMatch(/--layers has nothing to do/);
    expect(await refusal(...pair, "--data", "points.jsonl", "--word-copies", "2")).toMatch(/no table of words/);
    expect(await refusal(...pair, "--data", "points.jsonl", "--loss", "layers")).toMatch(/no layers of a transformer/);
    expect(await refusal(...pair, "--data", "points.jsonl", "--pairs", "tanh=tanh")).toMatch(
      /--pairs has nothing to do/,
    );
  });

  it("goes on where it was, and not with another teacher", async () => {
    const words = [...pair, "--data", "points.jsonl", ...usual, "--epochs", "2", "-o", "state"];
    const whole = await distilled(...words);
    const again = await distilled(...words, "--resume");
    expect([again.compared, again.steps]).toEqual([whole.compared, whole.steps]);
    await writeFile(join(folder, "other.onnx"), encodeModel(net(9)));
    const other = words.map((word) => (word === "teacher.onnx" ? "other.onnx" : word));
    expect(await refusal(...other, "--resume")).toContain("another configuration");
  });

  it("teaches one student several tasks, a head by a teacher and data of its own", async () => {
    const others = samples(true)
      .split("\n")
      .slice(0, 40)
      .join("\n")
      .replaceAll(/"label":(\d)/g, (_, x) => `"label":${1 - Number(x)}`);
    await writeFile(join(folder, "others.jsonl"), others);
    const heads = network(random(11), (n: Layers) => {
      const hidden = n.op("Tanh", [linear(n.scope("one"), n.input("input", "float32", ["batch", 2]), 8)]);
      for (const name of ["right", "wrong"]) n.output(linear(n.scope(`${name}-head`), hidden, 2), name);
    });
    await writeFile(join(folder, "heads.onnx"), encodeModel(heads));
    const tasks = ["--student", "heads.onnx", "--tasks", "right,wrong"];
    const teachers = ["--teacher", "teacher.onnx,teacher.onnx", "--data", "points.jsonl,others.jsonl"];
    const words = [...tasks, ...teachers, ...usual, "--epochs", "30"];
    const { compared, notes } = await distilled(...words, "-o", "tasks");
    expect(notes).toEqual([
      expect.stringMatching(/^right follows "teacher.onnx" on 69\.5 % of what is drawn, of 108 samples$/),
      expect.stringMatching(/^wrong follows "teacher.onnx" on 30\.5 % .* of 36 samples$/),
    ]);
    const accuracy = new Map(compared.map(({ name, metrics }) => [name, metrics.accuracy!]));
    expect([...accuracy.keys()]).toEqual([
      ...["right: teacher", "wrong: teacher"],
      ...["right: student before", "wrong: student before", "right: student after", "wrong: student after"],
    ]);
    expect(accuracy.get("right: student after")).toBeGreaterThan(0.8);
    expect(accuracy.get("wrong: student after")).toBeGreaterThan(0.5);
    expect(accuracy.get("wrong: teacher")).toBeLessThan(0.5);
    const report = parseTrainingReport(await readFile(join(folder, "tasks/report.json"), "utf8"), "report.json");
    expect(report.compared).toEqual(compared);

    const by = (...more: string[]) => refusal(...tasks, ...more);
    expect(await by("--teacher", "teacher.onnx", "--data", "points.jsonl,others.jsonl")).toMatch(
      /2 files of --teacher/,
    );
    expect(await by(...teachers.slice(0, 2), "--data", "points.jsonl")).toMatch(/2 files of --data/);
    expect(await by(...teachers, "--temperature", "2")).toMatch(/--temperature has nothing to do/);
    expect(await refusal(...pair, "--data", "points.jsonl", "--label-share", "1")).toMatch(/--label-share has nothing/);
  });

  it("says what is possible where teacher and student do not fit", async () => {
    const data = ["--data", "points.jsonl"];
    const by = (teacher: string, ...words: string[]) =>
      refusal("--teacher", teacher, ...pair.slice(2), ...data, ...words);
    expect(await by("wide.onnx")).toMatch(/different inputs.*"input" float32\[batch, 3\].*take a student/);
    expect(await by("many.onnx")).toMatch(/as many scores.*\[batch, 5\].*\[batch, 2\].*--teacher-output/);
    expect(await by("teacher.onnx", "--loss", "features")).toMatch(/have to be named.*--pairs/);
    expect(await by("teacher.onnx", "--loss", "magic")).toMatch(/no such distillation loss.*softTargets.*"magic"/);
    expect(await by("teacher.onnx", "--loss", "hints", "--pairs", "tanh=none")).toMatch(
      /no such value.*"none".*student/,
    );
    expect(existsSync(join(folder, "refused"))).toBe(false);
  });
});
