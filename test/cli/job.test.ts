/** @file The commands that make models, as scripts use them: contract, bounds, interruption, bad input, nothing left behind. */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { command as accelerate } from "../../src/cli/accelerate.ts";
import { parseArguments } from "../../src/cli/arguments.ts";
import { demoModelPath, encodeNpy } from "../../src/data/index.ts";
import { graphBuilder, model, tensor } from "../../src/ir/index.ts";
import { encodeModel } from "../../src/onnx/index.ts";
import { lithe, litheJson, startLithe } from "./run.ts";

const folder = mkdtempSync(join(tmpdir(), "lithe-job-"));
let cwd = "";
let count = 0;

/** Every test works in a folder of its own that holds `net.onnx` and `data.npy`. */
beforeAll(async () => copyFileSync(await demoModelPath(), join(folder, "glyphs.onnx")));
beforeEach(() => {
  cwd = join(folder, `test ${count++}`);
  mkdirSync(cwd);
  writeFileSync(join(cwd, "net.onnx"), smallModel());
  writeFileSync(join(cwd, "data.npy"), encodeNpy(tensor("float32", [40, 16], values(640))));
});
afterEach(() => rmSync(cwd, { recursive: true }));
afterAll(() => rmSync(folder, { recursive: true }));

function values(n: number): Float32Array {
  return Float32Array.from({ length: n }, (_, i) => Math.sin(i * 1.7) * Math.cos(i * i));
}

/** Names that a terminal, a page or a path would trip over. */
function smallModel(): Uint8Array {
  const g = graphBuilder();
  const x = g.input("x", "float32", ["batch", 16]);
  const w = g.constant("../../w\u001b[2J<img src=x>", tensor("float32", [16, 64], values(1024)));
  const hidden = g.op("Relu", [g.op("MatMul", [x, w], {}, { name: "__proto__" })]);
  g.output(g.op("MatMul", [hidden, g.constant("v", tensor("float32", [64, 5], values(320)))]), "scores");
  return encodeModel(model(g.build()));
}

const comparison = {
  size: { a: expect.any(Number), b: expect.any(Number), ratio: expect.any(Number) },
  latency: {
    ep: "cpu",
    threads: 1,
    batch: 1,
    a: { p50: expect.any(Number), p95: expect.any(Number), min: expect.any(Number) },
    b: { p50: expect.any(Number), p95: expect.any(Number), min: expect.any(Number) },
    ratio: expect.any(Number),
    spread: [expect.any(Number), expect.any(Number)],
  },
  agreement: expect.objectContaining({
    maxAbs: expect.any(Number),
    relative: expect.any(Number),
    cosine: expect.any(Number),
    top1: expect.any(Number),
  }),
};

describe("an accuracy no better than chance", () => {
  const warning = {
    code: "W_ACCURACY",
    message: expect.stringMatching(/no better than chance among 5 classes.*preset/),
  };
  const given = ["--data", "data.npy", "--labels", "labels.txt"];
  const [accelerated, quantized] = [
    ["accelerate", "net.onnx", ...given, "--check-ep", "none", "--budget", "2s", "-o", "out"],
    ["quantize", "net.onnx", ...given, "--form", "dynamic", "-o", "small.onnx"],
  ];

  beforeEach(() => {
    const labels = Array.from({ length: 40 }, (_, i) => (i * i) % 5);
    writeFileSync(join(cwd, "labels.txt"), labels.join("\n"));
  });

  it.each([
    ["accelerate", accelerated],
    ["quantize", quantized],
    ["compare", ["compare", "net.onnx", "net.onnx", ...given]],
  ])("is warned of by %s with --json", async (_, words) => {
    const { json } = await litheJson(words, { cwd });
    expect(json.warnings).toContainEqual(warning);
  });

  it.each([
    ["accelerate", accelerated],
    ["quantize", quantized],
  ])("is warned of by %s in text", async (_, words) => {
    const { stdout } = await lithe(words, { cwd });
    expect(stdout).toMatch(/W_ACCURACY: .* no better than chance among 5 classes/);
  });
});

describe("lithe accelerate", () => {
  const args = ["accelerate", "net.onnx", "--data", "data.npy", "--check-ep", "none", "--budget", "3s"];

  it("prints what scripts rely on, and writes what it names", async () => {
    const { code, json, stdout, stderr } = await litheJson([...args, "-o", "out"], { cwd });
    expect(code).toBe(0);
    expect(stdout.trim().split("\n")).toHaveLength(1);
    const { chosen, candidates, report } = json as unknown as {
      chosen: { file: string };
      candidates: object[];
      report: string;
    };
    expect(chosen).toMatchObject({
      file: expect.stringMatching(/^out\/net_\w+\.onnx$/),
      form: expect.any(String),
      ...comparison,
    });
    for (const candidate of candidates) {
      expect(candidate).toMatchObject({
        form: expect.any(String),
        accepted: expect.any(Boolean),
        reason: expect.any(String),
      });
    }
    expect(readdirSync(join(cwd, "out")).sort()).toEqual(
      ["events.jsonl", chosen.file.slice(4), "report.html", "report.json", "run.json"].sort(),
    );
    for (const line of stderr.trim().split("\n")) expect(JSON.parse(line)).toHaveProperty("type");

    const page = readFileSync(join(cwd, report), "utf8");
    expect(page).not.toMatch(/<img|\u001b/);
    expect((await lithe(["report", "out", "-o", "again.html"], { cwd })).code).toBe(0);
    expect(readFileSync(join(cwd, "again.html"), "utf8")).toBe(page);
  });

  it("names a command that asks for the same again", async () => {
    const given = [
      ...args,
      "-o",
      "out",
      "--max-drop",
      "0.5",
      "--goal",
      "size",
      "--max-slowdown",
      "0.5",
      "--seed",
      "7",
      "--eval-samples",
      "20",
    ];
    expect((await lithe(given, { cwd })).code).toBe(0);
    const { command } = JSON.parse(readFileSync(join(cwd, "out", "report.json"), "utf8")) as { command: string };
    const again = shellWords(command);
    expect(again.slice(0, 3)).toEqual(["npx", "litheml", "accelerate"]);
    const parse = (words: readonly string[]) => parseArguments("accelerate", "", accelerate, words);
    const { out: _, ...settings } = parse(given.slice(1))!.settings;
    expect(parse(again.slice(3))).toEqual({ operands: ["net.onnx"], settings, isRandom: false });
  });

  it("changes nothing in a dry run", async () => {
    const { code, json } = await litheJson([...args, "--dry-run"], { cwd });
    expect([code, json]).toEqual([0, expect.objectContaining({ dryRun: true, goal: "latency" })]);
    expect(readdirSync(cwd).sort()).toEqual(["data.npy", "net.onnx"]);
  });

  it("stops at Ctrl-C, says how to go on, and goes on without measuring again", async () => {
    const job = [
      "accelerate",
      join(folder, "glyphs.onnx"),
      "--data",
      "demo",
      "--eval-samples",
      "200",
      "-o",
      "out",
      "--json",
    ];
    const running = startLithe([...job, "--check-ep", "none", "--budget", "90s"], { cwd });
    await running.matches(/"[✓✗] dynamic int8/);
    running.kill("SIGINT");
    const { code, stdout } = await running.finished;
    expect(code).toBe(130);
    expect(JSON.parse(stdout)).toMatchObject({
      error: { name: "CancelledError", hint: expect.stringContaining("--resume") },
    });
    expect(readdirSync(join(cwd, "out")).sort()).toEqual(["events.jsonl", "kept", "run.json"]);
    rmSync(join(cwd, "out", "events.jsonl"));

    const { code: resumed, json } = await litheJson(
      [...job.slice(0, -1), "--check-ep", "none", "--budget", "6s", "--resume"],
      { cwd },
    );
    expect(resumed).toBe(0);
    expect(json.candidates).toContainEqual(expect.objectContaining({ form: "dynamic int8", size: expect.anything() }));
    const events = readFileSync(join(cwd, "out", "events.jsonl"), "utf8")
      .trim()
      .split("\n");
    const measured = events.map((line) => JSON.parse(line)).filter(({ detail }) => detail === "measuring");
    expect(measured.map(({ name }) => name)).not.toContain("dynamic int8");
    expect(existsSync(join(cwd, "out", "kept"))).toBe(false);
  });

  it("refuses to resume with other options", async () => {
    mkdirSync(join(cwd, "out"));
    writeFileSync(join(cwd, "out", "run.json"), `{ "id": "another" }`);
    const { code, json } = await litheJson([...args, "-o", "out", "--resume"], { cwd });
    expect([code, json.error]).toEqual([2, expect.objectContaining({ message: expect.stringContaining("--resume") })]);
  });
});

describe("lithe quantize", () => {
  const args = ["quantize", "net.onnx", "--form", "static", "--data", "data.npy"];

  it("prints what scripts rely on", async () => {
    const { code, json } = await litheJson([...args, "--min-agreement", "0.1"], { cwd });
    expect(code).toBe(0);
    expect(json).toMatchObject({
      ...comparison,
      form: "static",
      file: "net_quantized.onnx",
      broken: [],
      layers: expect.any(Array),
    });
    expect(existsSync(join(cwd, "net_quantized.onnx"))).toBe(true);
  });

  it("trains through the rounding with the original as teacher, and says what that did", async () => {
    const words = "--finetune 2 --train-batch 2 --qat lsq --weight-bits 4 --calibration-samples 4 --eval-samples 4";
    const finetuned = words.split(" ");
    const bounds = ["--allow-error", "2", "-o", "trained.onnx"];
    const { code, json } = await litheJson([...args, ...finetuned, ...bounds], { cwd });
    expect([code, json.error]).toEqual([0, undefined]);
    const agreeing = { relative: expect.any(Number) };
    expect(json).toMatchObject({
      file: "trained.onnx",
      trained: { before: agreeing, after: agreeing, isKept: expect.any(Boolean) },
      training: { epochs: 2 },
    });
    const { ranges }: { ranges: readonly { before: object; after: object }[] } = json.trained!;
    expect(ranges.some(({ before, after }) => JSON.stringify(before) !== JSON.stringify(after))).toBe(true);
    const wrong = [["--form", "dynamic"], ["--rounding", "second-order"], ["--bias-correction"]];
    for (const more of wrong) {
      const base = more[0] === "--form" ? ["quantize", "net.onnx", ...more, "--data", "data.npy"] : [...args, ...more];
      expect((await litheJson([...base, "--finetune", "1"], { cwd })).code).toBe(2);
    }
  });

  it("writes no model when a bound is broken, and reports it", async () => {
    const { code, json } = await litheJson(
      ["quantize", "net.onnx", "--form", "weight-only", "--bits", "2", "--min-agreement", "1", "--data", "data.npy"],
      { cwd },
    );
    expect(code).toBe(1);
    expect(json).toMatchObject({ form: "weight-only", broken: [expect.stringContaining("agreement")] });
    expect(json).not.toHaveProperty("file");
    expect(readdirSync(cwd).sort()).toEqual(["data.npy", "net.onnx", "net_q2-run"]);
    const { broken } = JSON.parse(readFileSync(join(cwd, "net_q2-run", "report.json"), "utf8"));
    expect(broken).toEqual(json.broken);
  });

  it("never replaces its source", async () => {
    const { code, json } = await litheJson([...args, "-o", "./net.onnx"], { cwd });
    expect([code, json.error]).toEqual([2, expect.objectContaining({ message: expect.stringContaining("source") })]);
  });
});

describe("bad input", () => {
  const small = encodeNpy(tensor("float32", [9, 3], values(27)));

  it.each([
    ["no data", [], "UsageError", 2],
    ["data that is not there", ["--data", "absent"], "DataError|PathError", 1],
    ["data of no known kind", ["--data", "net.onnx"], "DataError|FormatError|UnsupportedError", 1],
    ["data that does not fit the model", ["--data", "small.npy"], "DataError|ShapeError", 1],
    [
      "labels that are not there",
      ["--data", "data.npy", "--labels", "absent.txt"],
      "DataError|PathError|UsageError",
      1,
    ],
    ["a preset that is not known", ["--data", "data.npy", "--preset", "nice"], "UsageError", 2],
    ["a preprocess file that is not there", ["--data", "data.npy", "--preprocess", "absent.json"], "UsageError", 2],
    ["an out folder that is a file", ["--data", "data.npy", "-o", "data.npy"], "PathError", 1],
    ["an out path through a file", ["--data", "data.npy", "-o", "data.npy/deep/out"], "PathError", 1],
    ["an out file that is a folder", ["--data", "data.npy", "-o", "taken.onnx"], "UsageError", 2],
    ["an unknown goal", ["--data", "data.npy", "--goal", "fun"], "UsageError", 2],
    ["a slowdown without the goal that allows it", ["--data", "data.npy", "--max-slowdown", "0.5"], "UsageError", 2],
  ] as const)("is named and leaves nothing behind: %s", async (_, options, name, expected) => {
    writeFileSync(join(cwd, "small.npy"), small);
    mkdirSync(join(cwd, "taken.onnx"));
    const out = options.includes("-o" as never) ? [] : ["-o", "out"];
    const { code, json } = await litheJson(["accelerate", "net.onnx", "--budget", "2s", ...options, ...out], { cwd });
    expect([json.error, code]).toEqual([
      expect.objectContaining({ name: expect.stringMatching(`^(${name})$`) }),
      expected,
    ]);
    expect(readdirSync(cwd).sort()).toEqual(["data.npy", "net.onnx", "small.npy", "taken.onnx"]);
  });
});

/** Words as a shell splits them: blanks and single quotes. */
function shellWords(line: string): string[] {
  return [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? "");
}
