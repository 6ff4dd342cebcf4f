import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { denseModel } from "../../../test/models.ts";
import { type Accelerated, type AccelerateEvent, accelerate } from "../../accelerate/index.ts";
import { command } from "../../cli/accelerate.ts";
import { parseArguments } from "../../cli/arguments.ts";
import { encodeModel } from "../../onnx/index.ts";
import type { ProgressEvent } from "../console.ts";

vi.mock("../../accelerate/index.ts", async (original) => ({ ...(await original<object>()), accelerate: vi.fn() }));

let folder = "";
let path = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "lithe-"));
  path = join(folder, "dense.onnx");
  await writeFile(path, encodeModel(denseModel()));
});
afterEach(() => rm(folder, { recursive: true }));

const time = { p50: 1, p95: 1, min: 1, mean: 1, processor: 1 };
const comparison = {
  size: { a: 2000, b: 1000, ratio: 2 },
  latency: { ep: "cpu", threads: 1, batch: 1, a: time, b: time, ratio: 2, spread: [1.9, 2.1], verdict: "faster" },
  agreement: { n: 4, maxAbs: 0.1, relative: 0.01, cosine: 0.99, lost: 0.01, perOutput: [], build: "here" },
  n: 4,
  warnings: [],
} as unknown as Accelerated["comparison"];
const model = denseModel(2);
const result: Accelerated = {
  model,
  bytes: encodeModel(model),
  form: "float16",
  faster: true,
  comparison,
  candidates: [],
  measure: "agreement",
  sensitivity: [],
  providers: [{ ep: "wasm", build: "the web", status: "agrees", reason: "same answers" }],
  stages: [],
  warnings: [],
  samples: { selection: 4, verification: 4, disjoint: true, of: { selection: 4, verification: 4 } },
} as unknown as Accelerated;

const candidate = { form: "int8", onFront: false, comparison };
const events = [
  { type: "warning", code: "W_FEW", message: "few samples" },
  { type: "stage", name: "measure", detail: "float16" },
  { type: "progress", stage: "calibrate", done: 1, total: 4 },
  { type: "candidate", candidate: { ...candidate, accepted: false, reason: "too far off" } },
  { type: "candidate", candidate: { ...candidate, form: "float16", accepted: true, reason: "faster" } },
] as unknown as AccelerateEvent[];

async function run(...words: readonly string[]) {
  const run = { [Symbol.asyncIterator]: () => events.values(), result: Promise.resolve(result) };
  vi.mocked(accelerate)
    .mockReset()
    .mockReturnValue(run as unknown as ReturnType<typeof accelerate>);
  const said: string[] = [];
  const shown: ProgressEvent[] = [];
  const { settings } = parseArguments("accelerate", "", command, [path, "--data", "random", ...words])!;
  const outcome = await command.run([path], settings, {
    json: false,
    signal: new AbortController().signal,
    say: (line) => void said.push(line),
    progress: (event) => void shown.push(event),
  });
  return { said, shown, outcome, asked: vi.mocked(accelerate).mock.lastCall?.[1] };
}

it("an acceleration tells its course, its verdict, and where its files are", async () => {
  const out = join(folder, "small.onnx");
  const { said, shown, outcome } = await run("-o", out);
  const begin = said.findIndex((line) =>
    line.startsWith("dense.onnx: random inputs, goal latency, at most 1.00 % lost"),
  );
  const sentence = expect.stringMatching(/^float16: 2\.00× faster .*2\.00× smaller/);
  expect(said.slice(begin + 1)).toEqual([
    "W_FEW: few samples",
    expect.stringMatching(/^✗ int8: too far off; 2\.00× faster, 2\.00× smaller$/),
    "✓ float16: faster",
    "",
    sentence,
    "wasm (the web) agrees: same answers",
    `model:  ${out}`,
    `report: ${join(folder, "small-run", "report.html")}`,
  ]);
  expect(shown).toEqual([
    expect.objectContaining({
      ...{ stage: "measure", done: 0, total: 0, detail: "float16" },
      whole: expect.objectContaining({ part: "form 1", total: 300 }),
    }),
    expect.objectContaining({ stage: "calibrate", done: 1, total: 4 }),
  ]);
  expect(outcome.result).toMatchObject({ chosen: { form: "float16", file: out }, faster: true });
  expect(new Uint8Array(await readFile(out))).toEqual(new Uint8Array(result.bytes));
  const { config } = JSON.parse(await readFile(join(folder, "small-run", "run.json"), "utf8"));
  expect(config).toMatchObject({ command: "accelerate", model: "dense.onnx", out: "small.onnx" });
});

it("the folder of a run keeps its model under a name that says its form", async () => {
  const { said } = await run("-o", join(folder, "out"));
  expect(said.slice(-2)).toEqual([
    `model:  ${join(folder, "out", "dense_fp16.onnx")}`,
    `report: ${join(folder, "out", "report.html")}`,
  ]);
});

it("weights have the bits that are asked for", async () => {
  const bits = async (...words: readonly string[]) =>
    (await run("-o", join(folder, "out"), ...words)).asked?.weightBits;
  expect(await bits()).toBe("auto");
  expect([await bits("--weight-bits", "7"), await bits("--weight-bits", "8")]).toEqual([7, 8]);
});

it("a dry run changes nothing", async () => {
  const { said, outcome, asked } = await run("-o", join(folder, "out"), "--dry-run");
  expect([said.at(-1), asked]).toEqual(["nothing was changed", undefined]);
  expect(outcome.result).toMatchObject({ dryRun: true, data: "random inputs", goal: "latency", maxDrop: 0.01 });
});
